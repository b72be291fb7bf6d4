import { createHmac, createSecretKey } from 'node:crypto';
import { equalInConstantTime } from '../base/index.ts';

/**
 * Binds an upstream's session id to the principal that opened it (MCP security best practices, "Session Hijacking"), without
 * keeping state: `<id>.<HMAC-SHA-256 over server, principal and id>`. It holds over restarts and replicas that share the key.
 */
export interface SessionSeal {
  seal(session: SessionOwner, id: string): string;
  /** @returns the upstream's id, or null: made by nobody here, or for another server or principal */
  open(session: SessionOwner, sealed: string): string | null;
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
  const mac = (owner: SessionOwner, id: string): string =>
    createHmac('sha256', secret)
      .update(JSON.stringify(['portcullis session', owner.server, owner.principal, id]))
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
