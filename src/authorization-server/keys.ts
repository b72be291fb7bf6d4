import { createHash, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSONWebKeySet, JWK } from 'jose';
import { type Clock, messageOf, OperationError, randomToken, readJson } from '../base/index.ts';

const rotateAfterMs = 90 * 24 * 3_600_000;

interface SigningKey {
  readonly createdAt: number;
  /** Private, P-256. */
  readonly jwk: JWK & { readonly kid: string };
}

interface KeyFile {
  /** Newest first: it signs. Older ones verify what they signed. */
  readonly signing: readonly SigningKey[];
  /** Newest first. For the signatures of cookies. */
  readonly cookies: readonly string[];
  /** For the CSRF tokens of forms. */
  readonly forms: string;
}

/** The keys of the authorization server: one file, mode 0600. */
export interface Keys {
  /** The key that signs now. */
  readonly currentKid: string;
  /** Whether they were made just now. */
  readonly areNew: boolean;
  /** Private and public parts, newest first, as oidc-provider wants them. */
  privateKeys(): { keys: JWK[] };
  /** For the world: RFC 7517, newest first. The same object until the keys change. */
  publicKeys(): JSONWebKeySet;
  cookieKeys(): string[];
  formKey(): string;
  /** 32 bytes for one purpose, from which those of no other purpose can be computed. Stays the same over rotations. */
  derivedKey(purpose: string): Buffer;
  /** Makes a new signing key if the current one is 90 days old, and drops keys that sign no living token. */
  rotateIfDue(): boolean;
}

export interface KeysOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  /** Longest life of anything signed. */
  readonly tokenLifeMs: number;
}

/** Reads the keys, or makes them at first start. Throws OperationError if the file is readable by others or damaged. */
export function openKeys(options: KeysOptions): Keys {
  const path = join(options.dataDir, 'authorization-keys.json');
  const areNew = !existsSync(path);
  let keys = areNew ? save(path, firstKeys(options.clock.now())) : read(path);
  let publicKeys = publicPart(keys);
  return {
    areNew,
    get currentKid() {
      return newest(keys).jwk.kid;
    },
    privateKeys: () => ({ keys: keys.signing.map(({ jwk }) => ({ ...jwk })) }),
    publicKeys: () => publicKeys,
    cookieKeys: () => [...keys.cookies],
    formKey: () => keys.forms,
    derivedKey: (purpose) => Buffer.from(hkdfSync('sha256', keys.forms, '', `portcullis ${purpose}`, 32)),
    rotateIfDue() {
      const now = options.clock.now();
      if (now - newest(keys).createdAt < rotateAfterMs) return false;
      keys = save(path, rotated(keys, now, options.tokenLifeMs));
      publicKeys = publicPart(keys);
      return true;
    },
  };
}

function firstKeys(now: number): KeyFile {
  return { signing: [signingKey(now)], cookies: [randomToken()], forms: randomToken() };
}

/** An old key stays until what it signed last has expired: it was replaced when its successor was made. */
function rotated(keys: KeyFile, now: number, tokenLifeMs: number): KeyFile {
  const kept = keys.signing.filter((_key, index) => {
    const successor = keys.signing[index - 1];
    return successor === undefined || now - successor.createdAt < tokenLifeMs;
  });
  return {
    signing: [signingKey(now), ...kept],
    cookies: [randomToken(), ...keys.cookies.slice(0, 1)],
    forms: keys.forms,
  };
}

function signingKey(now: number): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y, d } = privateKey.export({ format: 'jwk' }) as Record<string, string>;
  // RFC 7638: the members in this order, without white space.
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { createdAt: now, jwk: { kty, crv, x, y, d, kid, use: 'sig', alg: 'ES256' } as SigningKey['jwk'] };
}

function publicPart({ signing }: KeyFile): JSONWebKeySet {
  const keys = signing.map(({ jwk: { kty, crv, x, y, kid, use, alg } }) => {
    return { kty, crv, x, y, kid, use, alg } as JWK;
  });
  return { keys };
}

function newest(keys: KeyFile): SigningKey {
  const [key] = keys.signing;
  if (key === undefined) throw new OperationError('there is no signing key');
  return key;
}

/** Written beside and renamed, so that a crash leaves the old keys or the new ones. */
function save(path: string, keys: KeyFile): KeyFile {
  const beside = `${path}.new`;
  writeFileSync(beside, JSON.stringify(keys), { mode: 0o600, flush: true });
  chmodSync(beside, 0o600);
  renameSync(beside, path);
  return keys;
}

function read(path: string): KeyFile {
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new OperationError(`${path} can be read by other users of this machine`, {
      hint: `chmod 600 ${path}; if somebody may have read it, delete it instead: every token then ends`,
    });
  }
  try {
    const keys = readJson(readFileSync(path, 'utf8')) as KeyFile;
    if (!isKeyFile(keys)) throw new Error('members are missing');
    return keys;
  } catch (error) {
    throw new OperationError(`${path} cannot be used: ${messageOf(error)}`, {
      hint: 'restore it, or delete it: every token then ends',
      cause: error,
    });
  }
}

function isKeyFile(keys: KeyFile): boolean {
  return (
    keys.signing.length > 0 &&
    keys.signing.every(({ createdAt, jwk }) => Number.isFinite(createdAt) && jwk.kid && jwk.d) &&
    keys.cookies.length > 0 &&
    keys.forms.length >= 32
  );
}
