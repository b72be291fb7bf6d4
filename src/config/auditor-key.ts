import { createPublicKey, type KeyObject } from 'node:crypto';
import { readJson } from '../base/index.ts';
import type { AuditorKey } from './audit-config.ts';

// `audit.auditorKey`: what it encrypts the gateway cannot read back, so only the public half may be here.

export const auditorKeyPath = ['audit', 'auditorKey'] as const;

interface Fault {
  readonly message: string;
  readonly hint: string;
}

const make =
  'make one: openssl genpkey -algorithm X25519 -out auditor.pem && openssl pkey -in auditor.pem -pubout -out auditor.pub.pem';
const noKey: Fault = { message: 'is no public key in PEM or JWK', hint: make };
const isPrivate: Fault = {
  message: 'is a private key: the gateway must not be able to read what it has encrypted',
  hint: 'keep it with the auditor, and give the public half: openssl pkey -in auditor.pem -pubout -out auditor.pub.pem',
};
const curves: ReadonlySet<string> = new Set(['P-256', 'P-384', 'P-521', 'X25519']);

export function auditorKeyFault(text: string): Fault | null {
  const key = readAuditorKey(text);
  return 'message' in key ? key : null;
}

/** A key for ECDH-ES from SubjectPublicKeyInfo in PEM or one JWK. Says nothing of what it holds. */
export function readAuditorKey(text: string): AuditorKey | Fault {
  if (/PRIVATE KEY/.test(text)) return isPrivate;
  const key = /^\s*\{/.test(text) ? fromJwk(text) : fromPem(text);
  if ('message' in key) return key;
  // What Node says of the key, never what the file says: no other member comes along.
  const {
    kty,
    crv = '',
    x = '',
    y,
  } = key.asymmetricKeyType?.match(/^(ec|x25519)$/) ? key.export({ format: 'jwk' }) : {};
  if ((kty !== 'EC' && kty !== 'OKP') || !curves.has(crv))
    return { message: 'is a key that cannot be used here: X25519, P-256, P-384 or P-521', hint: make };
  return y === undefined ? { kty, crv, x } : { kty, crv, x, y };
}

function fromPem(text: string): KeyObject | Fault {
  if (!text.includes('-----BEGIN PUBLIC KEY-----')) return noKey;
  return imported(() => createPublicKey(text));
}

function fromJwk(text: string): KeyObject | Fault {
  const jwk = objectIn(text);
  if (jwk === null) return noKey;
  if ('keys' in jwk) return { message: 'is a set of keys', hint: 'write the one JWK that is to be used' };
  if (['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].some((name) => name in jwk)) return isPrivate;
  if ('use' in jwk && jwk['use'] !== 'enc')
    return { message: 'is a key that is not for encrypting (use)', hint: make };
  return imported(() => createPublicKey({ key: jwk, format: 'jwk' }));
}

function objectIn(text: string): Record<string, string> | null {
  try {
    const value: unknown = readJson(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : null;
  } catch {
    return null;
  }
}

/** Node refuses points that are not on the curve. */
function imported(read: () => KeyObject): KeyObject | Fault {
  try {
    return read();
  } catch {
    return noKey;
  }
}
