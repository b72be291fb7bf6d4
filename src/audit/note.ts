import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';

/** Where a writer's chain stood, as a key vouches for it. */
export interface Checkpoint {
  readonly writer: string;
  /** How many entries the chain had. */
  readonly position: number;
  /** The chain up to and with the last of them, in hex. */
  readonly hash: string;
  /** RFC 3339: when it was signed, by the signer's clock. */
  readonly time: string;
}

/** A public key that checkpoints are verified with. */
export interface VerifierKey {
  /** Four bytes in hex, as the note format derives them. */
  readonly id: string;
  readonly key: KeyObject;
}

/** Name of the key in notes. */
const keyName = 'portcullis.audit';
const originPrefix = `${keyName}/`;
/** Signature type of Ed25519. */
const ed25519 = 0x01;
const idBytes = 4;
const keyBytes = 32;

/**
 * A checkpoint as a signed note (C2SP signed-note; the body has the form of C2SP tlog-checkpoint: origin, size, hash, then a
 * line of ours). The hash is the head of a chain, not the root of a Merkle tree: a witness can compare heads, and cannot
 * ask for proofs of consistency.
 */
export function signCheckpoint(checkpoint: Checkpoint, signer: { id: string; key: KeyObject }): string {
  const body = bodyOf(checkpoint);
  const signature = Buffer.concat([Buffer.from(signer.id, 'hex'), sign(null, Buffer.from(body), signer.key)]);
  return `${body}\n— ${keyName} ${signature.toString('base64')}\n`;
}

export type NoteFault = 'unreadable' | 'unknown key' | 'bad signature';

/**
 * @param note attacker-controlled
 * @returns the checkpoint, once one of the keys has vouched for it
 */
export function openCheckpoint(note: string, keys: readonly VerifierKey[]): Checkpoint | NoteFault {
  const parts = /^((?:[^\n]+\n)+)\n— (\S+) ([A-Za-z0-9+/=]+)\n?$/.exec(note);
  const [, body = '', name = '', blob = ''] = parts ?? [];
  const checkpoint = checkpointOf(body);
  if (!checkpoint || name !== keyName) return 'unreadable';
  const signature = Buffer.from(blob, 'base64');
  const id = signature.subarray(0, idBytes).toString('hex');
  const known = keys.find((key) => key.id === id);
  if (!known) return 'unknown key';
  const holds = verify(null, Buffer.from(body), known.key, signature.subarray(idBytes));
  return holds ? checkpoint : 'bad signature';
}

/** Splits a file of notes, one after another. */
export function notesIn(text: string): string[] {
  return text.split(/(?<=\n\n— [^\n]+\n)/).filter((note) => note.trim() !== '');
}

/** The public key as C2SP signed-note writes it: `name+id+key`. */
export function formatVerifierKey(key: KeyObject): string {
  const raw = rawOf(key);
  return `${keyName}+${idOf(raw)}+${Buffer.concat([Buffer.of(ed25519), raw]).toString('base64')}`;
}

/** Null for what is no such key. */
export function parseVerifierKey(text: string): VerifierKey | null {
  const parts = /^portcullis\.audit\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  const raw = Buffer.from(parts?.[2] ?? '', 'base64');
  if (raw.length !== keyBytes + 1 || raw[0] !== ed25519) return null;
  const id = idOf(raw.subarray(1));
  if (id !== parts?.[1]) return null;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.subarray(1).toString('base64url') };
  return { id, key: createPublicKey({ key: jwk, format: 'jwk' }) };
}

export function verifierKeyOf(key: KeyObject): VerifierKey {
  return { id: idOf(rawOf(key)), key };
}

function bodyOf({ writer, position, hash, time }: Checkpoint): string {
  const root = Buffer.from(hash, 'hex').toString('base64');
  return `${originPrefix}${writer}\n${position}\n${root}\ntime ${time}\n`;
}

function checkpointOf(body: string): Checkpoint | null {
  const parts = /^portcullis\.audit\/(\S+)\n(\d{1,15})\n([A-Za-z0-9+/=]{44})\ntime (\S+)\n$/.exec(body);
  if (!parts) return null;
  const [, writer = '', position = '', root = '', time = ''] = parts;
  return { writer, position: Number(position), hash: Buffer.from(root, 'base64').toString('hex'), time };
}

function rawOf(key: KeyObject): Buffer {
  return Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url');
}

/** C2SP signed-note, "Signatures": the first bytes of SHA-256(name, newline, type, key). */
function idOf(raw: Uint8Array): string {
  const named = Buffer.concat([Buffer.from(`${keyName}\n`), Buffer.of(ed25519), raw]);
  return hash('sha256', named, 'hex').slice(0, idBytes * 2);
}

/** The note of a checkpoint whose signature is kept apart, in hex, as entries of the chain keep it. */
export function signedText(checkpoint: Checkpoint, signature: string): string {
  return `${bodyOf(checkpoint)}\n— ${keyName} ${Buffer.from(signature, 'hex').toString('base64')}\n`;
}
