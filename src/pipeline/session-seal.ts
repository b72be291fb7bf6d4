import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { equalInConstantTime } from '../base/index.ts';

/**
 * Binds an id that an upstream gave to the principal that it was given to (MCP security best practices, "Session Hijacking"), without
 * keeping state: `<id>.<HMAC-SHA-256 over server, principal and id>`. It holds over restarts and replicas that share the key.
 */
export interface Seal {
  seal(session: SessionOwner, id: string): string;
  /** @returns the upstream's id, or null: made by nobody here, or for another server or principal */
  open(session: SessionOwner, sealed: string): string | null;
}

/** Of session ids, and apart from them of the ids of events: an upstream may replay from any event to whoever names it. */
export interface SessionSeal extends Seal {
  readonly events: Seal;
}

export interface SessionOwner {
  readonly server: string;
  /** `Principal.key` */
  readonly principal: string;
}

const macLength = 43; // 32 bytes in base64url
const maxLength = 1024;

export function createSessionSeal(key: Uint8Array): SessionSeal {
  const secret = createSecretKey(key);
  return { ...sealOf('portcullis session', secret), events: sealOf('portcullis event', secret) };
}

function sealOf(what: string, secret: KeyObject): Seal {
  const mac = (owner: SessionOwner, id: string): string =>
    createHmac('sha256', secret)
      .update(JSON.stringify([what, owner.server, owner.principal, id]))
      .digest('base64url');
  return {
    seal: (owner, id) => `${id}.${mac(owner, id)}`,
    open(owner, sealed) {
      const dot = sealed.length - macLength - 1;
      if (dot < 1 || sealed.length > maxLength || sealed[dot] !== '.') return null;
      const id = sealed.slice(0, dot);
      return equalInConstantTime(mac(owner, id), sealed.slice(dot + 1)) ? id : null;
    },
  };
}
