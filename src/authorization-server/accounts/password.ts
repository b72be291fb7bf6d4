import * as crypto from 'node:crypto';
import { promisify } from 'node:util';
import { equalInConstantTime, OperationError } from '../../base/index.ts';

/** NIST SP 800-63B section 3.1.1.2: length, no composition rules; white space and any script are welcome. */
export const minimumPasswordLength = 12;
const maximumPasswordLength = 1024;

/** OWASP's parameters for argon2id: 19 MiB, two passes, one lane. */
const argon2id = { memory: 19_456, passes: 2, parallelism: 1 };
/** Where `crypto.argon2` is missing (Node 22): 64 MiB. */
const scryptParameters = { ln: 16, r: 8, p: 1 };

/** What is wrong with a new password, as a sentence for the person; null if nothing is. */
export function passwordFault(password: string, name: string): string | null {
  const length = [...password].length;
  if (length < minimumPasswordLength) {
    return `The password must have at least ${minimumPasswordLength} characters.`;
  }
  if (password.length > maximumPasswordLength) return 'The password is too long.';
  if (new Set(password).size < 3) return 'The password repeats too few characters.';
  if (password.toLowerCase().replaceAll(name.toLowerCase(), '').length < 6) {
    return 'The password must not be the account name.';
  }
  return null;
}

/** A PHC string, tagged with the algorithm: `$argon2id$v=19$m=…,t=…,p=…$salt$hash` or `$scrypt$ln=…,r=…,p=…$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = crypto.randomBytes(16);
  if (typeof crypto.argon2 === 'function') {
    const { memory, passes, parallelism } = argon2id;
    const hash = await deriveArgon2id(password, salt, argon2id);
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${encode(salt)}$${encode(hash)}`;
  }
  const { ln, r, p } = scryptParameters;
  const hash = await deriveScrypt(password, salt, scryptParameters);
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`;
}

/** False for a wrong password. Throws OperationError for a hash that this runtime cannot check. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  // Longer than any password that was ever accepted: not worth the work.
  if (password.length > maximumPasswordLength) return false;
  const parts = stored.split('$');
  const algorithm = parts[1];
  const [salt, expected] = [parts.at(-2) ?? '', parts.at(-1) ?? ''];
  const parameters = parseParameters(parts.at(-3) ?? '');
  const derived =
    algorithm === 'argon2id'
      ? await deriveArgon2id(password, decode(salt), {
          memory: parameters('m'),
          passes: parameters('t'),
          parallelism: parameters('p'),
        })
      : await deriveScrypt(password, decode(salt), {
          ln: parameters('ln'),
          r: parameters('r'),
          p: parameters('p'),
        });
  return equalInConstantTime(encode(derived), expected);
}

function deriveArgon2id(password: string, nonce: Buffer, parameters: typeof argon2id): Promise<Buffer> {
  if (typeof crypto.argon2 !== 'function') {
    throw new OperationError('the stored password needs argon2, which this Node.js does not have', {
      hint: 'run Node.js 24 or newer, or set the password again',
    });
  }
  const message = normalized(password);
  return promisify(crypto.argon2)('argon2id', { message, nonce, tagLength: 32, ...parameters });
}

const scrypt = promisify<crypto.BinaryLike, crypto.BinaryLike, number, crypto.ScryptOptions, Buffer>(
  crypto.scrypt,
);

function deriveScrypt(password: string, salt: Buffer, parameters: typeof scryptParameters): Promise<Buffer> {
  const { ln, r, p } = parameters;
  return scrypt(normalized(password), salt, 32, { N: 2 ** ln, r, p, maxmem: 256 * 1024 * 1024 });
}

/** The same characters typed on another keyboard are the same password (NIST SP 800-63B, RFC 8265). */
function normalized(password: string): string {
  return password.normalize('NFKC');
}

function parseParameters(text: string): (name: string) => number {
  const values = new Map(text.split(',').map((pair) => pair.split('=') as [string, string]));
  return (name) => {
    const value = Number(values.get(name));
    if (!Number.isSafeInteger(value)) throw new OperationError('a stored password hash is damaged');
    return value;
  };
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
