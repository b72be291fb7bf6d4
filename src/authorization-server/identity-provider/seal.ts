import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Secret } from '../../base/index.ts';

const version = 1;
const ivLength = 12;
const tagLength = 16;

/** Encrypts what must be kept and given back: AES-256-GCM, bound to the row that it stands in. */
export interface Seal {
  close(secret: Secret, row: readonly string[]): string;
  /** Null for what was sealed with another key, for another row, or damaged. */
  open(sealed: string, row: readonly string[]): Secret | null;
}

/** @param key 32 bytes */
export function createSeal(key: Buffer): Seal {
  const boundTo = (row: readonly string[]) => Buffer.from(JSON.stringify([version, ...row]));
  return {
    close(secret, row) {
      const iv = randomBytes(ivLength);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(boundTo(row));
      const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(sealed, row) {
      const bytes = Buffer.from(sealed, 'base64url');
      if (bytes.length < 1 + ivLength + tagLength || bytes[0] !== version) return null;
      const iv = bytes.subarray(1, 1 + ivLength);
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagLength })
        .setAAD(boundTo(row))
        .setAuthTag(bytes.subarray(1 + ivLength, 1 + ivLength + tagLength));
      try {
        const text = decipher.update(bytes.subarray(1 + ivLength + tagLength));
        return new Secret(Buffer.concat([text, decipher.final()]).toString('utf8'));
      } catch {
        return null;
      }
    },
  };
}
