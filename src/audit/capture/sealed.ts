import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  CompactEncrypt,
  type CompactJWEHeaderParameters,
  calculateJwkThumbprint,
  compactDecrypt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
} from 'jose';
import { messageOf, OperationError, readJson } from '../../base/index.ts';
import type { AuditorKey } from '../../config/index.ts';
import type { JsonObject } from '../../protocol/index.ts';

// Arguments as a JWE (RFC 7516) in compact form: ECDH-ES+A256KW to the auditor's public key, A256GCM. Who has that key can make
// one too: it keeps a secret, and proves nothing of its origin. That does the chain.

const alg = 'ECDH-ES+A256KW';
const enc = 'A256GCM';

/** The record that it belongs to. In the protected header, which AES-GCM authenticates (RFC 7516 section 5.1, step 14). */
export interface Belonging {
  readonly request_id: string;
  readonly server: string;
  readonly tool: string;
}

/** What is in it. */
export interface Sealed {
  /** As it was sent; the record's may be cleaned. */
  readonly tool: string;
  readonly arguments: JsonObject;
  /** Whether fields were dropped, hashed or masked before. */
  readonly redacted: boolean;
  /** Whether something was left out for its size. */
  readonly cut: boolean;
}

export type Seal = (content: string, belonging: Belonging) => Promise<string>;

/** The length of a ciphertext is that of what is in it: so nothing finer than this is told. */
const block = 256;

export async function createSeal(publicKey: AuditorKey): Promise<Seal> {
  const key = await importJWK({ ...publicKey } as JWK, alg);
  const kid = await keyIdOf(publicKey);
  return (content, belonging) => {
    const bytes = Buffer.from(content);
    // Spaces after a JSON text are part of it (RFC 8259 section 2).
    const padded = Buffer.alloc(Math.ceil(bytes.length / block) * block, ' ');
    bytes.copy(padded);
    const header = { alg, enc, kid, cty: 'json', ...belonging } satisfies CompactJWEHeaderParameters;
    return new CompactEncrypt(padded).setProtectedHeader(header).encrypt(key);
  };
}

/** RFC 7638: of the key itself, so that two keys cannot have one name. */
export function keyIdOf(publicKey: AuditorKey): Promise<string> {
  return calculateJwkThumbprint({ ...publicKey } as JWK, 'sha256');
}

/** Private keys by their id. */
export type AuditorKeys = ReadonlyMap<string, KeyObject>;

/**
 * Reads private keys in PEM (PKCS #8) or JWK.
 * @throws OperationError that says nothing of what was read
 */
export async function readAuditorKeys(texts: readonly string[]): Promise<AuditorKeys> {
  const keys = new Map<string, KeyObject>();
  for (const text of texts) {
    const key = privateKeyIn(text);
    const { kty, crv = '', x = '', y } = createPublicKey(key).export({ format: 'jwk' });
    if (kty !== 'EC' && kty !== 'OKP') throw notPrivate;
    keys.set(await keyIdOf(y === undefined ? { kty, crv, x } : { kty, crv, x, y }), key);
  }
  return keys;
}

const notPrivate = new OperationError('this is no private key of an auditor', {
  hint: 'give the one whose public half is audit.auditorKey, in PEM or JWK, without a passphrase',
});

function privateKeyIn(text: string): KeyObject {
  try {
    return /^\s*\{/.test(text)
      ? createPrivateKey({ key: readJson(text) as Record<string, string>, format: 'jwk' })
      : createPrivateKey(text);
  } catch {
    throw notPrivate;
  }
}

export type Opening =
  | { readonly opened: true; readonly content: Sealed; readonly keyId: string }
  | {
      readonly opened: false;
      readonly problem: 'broken' | 'other key' | 'other record';
      readonly detail: string;
    };

/** Opens what a record holds, and finds out whether it was made for that record. */
export async function openSealed(jwe: string, belonging: Belonging, keys: AuditorKeys): Promise<Opening> {
  const broken = (detail: string): Opening => ({ opened: false, problem: 'broken', detail });
  try {
    const { kid = '', zip } = decodeProtectedHeader(jwe) as CompactJWEHeaderParameters;
    const key = keys.get(kid);
    if (!key) return { opened: false, problem: 'other key', detail: `it is encrypted to the key ${kid}` };
    if (zip !== undefined) return broken('it is compressed, and nothing here makes such');
    const only = { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc] };
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, only);
    const differing = (['request_id', 'server', 'tool'] as const).find(
      (name) => protectedHeader[name] !== belonging[name],
    );
    if (differing) {
      const detail = `it was made for ${differing} ${String(protectedHeader[differing])}`;
      return { opened: false, problem: 'other record', detail };
    }
    return {
      opened: true,
      content: readJson(Buffer.from(plaintext).toString('utf8')) as Sealed,
      keyId: kid,
    };
  } catch (error) {
    return broken(messageOf(error));
  }
}
