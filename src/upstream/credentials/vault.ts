import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import { Secret } from '../../base/index.ts';

const ivLength = 12;
const tagLength = 16;
const keyLength = 32;

/** Encrypts credentials of people at upstreams: AES-256-GCM, each value bound to the row that it stands in. */
export interface Vault {
  /** With the newest key. @param row what the value belongs to; must be the same when it is opened */
  close(secret: Secret, row: readonly string[]): string;
  /** With the key that the value names. Null for a key that is not here, another row, or damage. */
  open(sealed: string, row: readonly string[]): Opened | null;
}

export interface Opened {
  readonly secret: Secret;
  /** Sealed with an older key: to be sealed again. */
  readonly isOld: boolean;
}

interface Key {
  /** First 8 hex digits of the key's SHA-256. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** 32 bytes in base64, or null. */
function vaultKeyBytes(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return /^[A-Za-z0-9+/]{43}=$/.test(text) && bytes.length === keyLength ? bytes : null;
}

/** @param keys 32 bytes in base64 each, newest first; at least one. Throws for anything else. */
export function createVault(keys: readonly Secret[]): Vault {
  const known = keys.map(keyOf);
  const [newest] = known;
  if (newest === undefined) throw new Error('the vault has no key');
  return {
    close(secret, row) {
      const iv = randomBytes(ivLength);
      const cipher = createCipheriv('aes-256-gcm', newest.bytes, iv).setAAD(boundTo(newest, row));
      const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
      return `v1.${newest.id}.${Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')}`;
    },
    open(sealed, row) {
      const [version, id, body = '', ...more] = sealed.split('.');
      const key = known.find((one) => one.id === id);
      if (version !== 'v1' || key === undefined || more.length > 0) return null;
      const text = decrypt(key, Buffer.from(body, 'base64url'), row);
      return text === null ? null : { secret: new Secret(text), isOld: key !== newest };
    },
  };
}

function keyOf(key: Secret): Key {
  const bytes = vaultKeyBytes(key.reveal());
  if (bytes === null) throw new Error('a key of the vault is not 32 bytes in base64');
  return { id: hash('sha256', bytes, 'hex').slice(0, 8), bytes };
}

function boundTo({ id }: Key, row: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(['v1', id, ...row]));
}

function decrypt(key: Key, bytes: Buffer, row: readonly string[]): string | null {
  if (bytes.length < ivLength + tagLength) return null;
  const iv = bytes.subarray(0, ivLength);
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, iv, { authTagLength: tagLength })
    .setAAD(boundTo(key, row))
    .setAuthTag(bytes.subarray(ivLength, ivLength + tagLength));
  try {
    const text = decipher.update(bytes.subarray(ivLength + tagLength));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}
