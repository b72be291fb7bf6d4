import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, messageOf, OperationError, readJson, timestamp } from '../base/index.ts';
import { makePrivateDirectory } from '../store/index.ts';
import { formatVerifierKey, type VerifierKey, verifierKeyOf } from './note.ts';

export interface HashingKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** Keys of the trail, the current one of each kind first. KeyObjects print nothing. */
export interface AuditKeys {
  /** Signs checkpoints. */
  readonly signer: { readonly id: string; readonly key: KeyObject };
  readonly verifiers: readonly VerifierKey[];
  /** Arguments are hashed with the first; the others answer for what was hashed before a rotation. */
  readonly hashing: readonly HashingKey[];
}

/** As kept in `audit-keys.json`, newest first. */
interface KeyFile {
  readonly signing: readonly { readonly created: string; readonly private: string }[];
  readonly hashing: readonly { readonly created: string; readonly id: string; readonly secret: string }[];
}

const secretBytes = 32;

/** Reads the keys of the trail, or makes them at first start, mode 0600. */
export function openAuditKeys(dataDir: string, clock: Clock): AuditKeys {
  makePrivateDirectory(dataDir);
  const file = keyFile(dataDir);
  const first: KeyFile = { signing: [newSigning(clock)], hashing: [newHashing(clock)] };
  try {
    // `wx`: of two processes that start at once, one writes and both read what it wrote.
    writeFileSync(file, JSON.stringify(first), { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return keysOf(readKeyFile(file));
}

/** The keys there are. @throws OperationError where there are none */
export function readAuditKeys(dataDir: string): AuditKeys {
  return keysOf(readKeyFile(keyFile(dataDir)));
}

/** Puts new keys in front. What was signed and hashed before stays verifiable. @returns the ids before and after */
export function rotateAuditKeys(dataDir: string, clock: Clock): { before: AuditKeys; after: AuditKeys } {
  const before = openAuditKeys(dataDir, clock);
  const file = keyFile(dataDir);
  const kept = readKeyFile(file);
  const next: KeyFile = {
    signing: [newSigning(clock), ...kept.signing],
    hashing: [newHashing(clock), ...kept.hashing],
  };
  const beside = `${file}.${process.pid}`;
  const handle = openSync(beside, 'wx', 0o600);
  try {
    writeSync(handle, JSON.stringify(next));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
  return { before, after: keysOf(next) };
}

/** Public keys for whoever verifies elsewhere, newest first. */
export function publicAuditKeys(keys: AuditKeys): string[] {
  return keys.verifiers.map(({ key }) => formatVerifierKey(key));
}

function keyFile(dataDir: string): string {
  return join(dataDir, 'audit-keys.json');
}

function newSigning(clock: Clock): KeyFile['signing'][number] {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  return { created: timestamp(clock.now()), private: pkcs8 };
}

function newHashing(clock: Clock): KeyFile['hashing'][number] {
  const secret = randomBytes(secretBytes).toString('base64');
  return { created: timestamp(clock.now()), id: randomBytes(4).toString('hex'), secret };
}

function readKeyFile(file: string): KeyFile {
  try {
    return readJson(readFileSync(file, 'utf8')) as KeyFile;
  } catch (error) {
    throw new OperationError(`cannot read the keys of the audit trail ${file}: ${reasonOf(error)}`, {
      hint: 'restore it from a backup: without it nothing can be verified, and hashes of arguments tell nothing',
    });
  }
}

/** A parser's message quotes the text: here, keys. */
function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'it is no JSON' : messageOf(error);
}

function keysOf(file: KeyFile): AuditKeys {
  const signing = file.signing.map((one) =>
    createPrivateKey({ key: Buffer.from(one.private, 'base64'), format: 'der', type: 'pkcs8' }),
  );
  const verifiers = signing.map((key) => verifierKeyOf(createPublicKey(key)));
  const hashing = file.hashing.map(({ id, secret }) => ({
    id,
    key: createSecretKey(Buffer.from(secret, 'base64')),
  }));
  const [first] = signing;
  const [verifier] = verifiers;
  if (!first || !verifier || hashing.length === 0) throw new OperationError('audit-keys.json holds no keys');
  return { signer: { id: verifier.id, key: first }, verifiers, hashing };
}
