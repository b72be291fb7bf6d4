import { createHash, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { sha256Hex } from '../base/index.ts';
import type { Json, JsonObject } from '../protocol/index.ts';
import { argumentsForm, argumentsHash } from './hash.ts';
import type { HashingKey } from './keys.ts';

/** A call to a tool, as it is hashed. */
export interface HashedCall {
  readonly organization: string | null;
  readonly tool: string;
  readonly arguments: JsonObject;
}

export type ArgumentsHasher = (call: HashedCall) => string;

const mostOrganizations = 1_000;
const keyBytes = 32;

/**
 * `hmac-sha256:<key id>:<hex>` over the RFC 8785 form of `{arguments, tool}`. The key is derived for each organization (RFC 5869):
 * who has the trail and a guess cannot test the guess, and nobody can tell that two organizations sent the same. Arguments
 * without such a form are marked by `hmac-sha256-raw`; see `argumentsHash`.
 */
export function keyedHasher(hashing: HashingKey): ArgumentsHasher {
  const { id } = hashing;
  const keyFor = keysFor(hashing, 'portcullis arguments v1');
  return (call) => {
    const form = argumentsForm(call.arguments);
    if (!form) return 'unhashable';
    // "arguments" sorts before "tool": this is the canonical form of both together.
    const text = `{"arguments":${form.text},"tool":${JSON.stringify(call.tool)}}`;
    const hex = createHmac('sha256', keyFor(call.organization)).update(text).digest('hex');
    return `${form.kind === 'jcs' ? 'hmac-sha256' : 'hmac-sha256-raw'}:${id}:${hex}`;
  };
}

/**
 * The keys of the organizations for one purpose: what was hashed for another cannot be taken for it. As `KeyObject`s: from bytes
 * Node makes one for every hash, which takes five times as long as the hash.
 */
function keysFor({ key }: HashingKey, purpose: string): (organization: string | null) => KeyObject {
  const derived = new Map<string, KeyObject>();
  return (named) => {
    const organization = named ?? '';
    const known = derived.get(organization);
    if (known) return known;
    // Hashed: the info of HKDF is bounded, and what a token states is not.
    const info = `${purpose}\n${sha256Hex(organization)}`;
    const made = createSecretKey(new Uint8Array(hkdfSync('sha256', key, '', info, keyBytes)));
    if (derived.size >= mostOrganizations) derived.clear();
    derived.set(organization, made);
    return made;
  };
}

/** `hmac-sha256:<key id>:<hex>` over the RFC 8785 form of one value, the same whichever tool and field it stands in. */
export type ValueHasher = (value: Json, organization: string | null) => string;

export function keyedValueHasher(hashing: HashingKey): ValueHasher {
  const keyFor = keysFor(hashing, 'portcullis value v1');
  return (value, organization) => {
    const form = argumentsForm({ value });
    if (!form) return 'unhashable';
    const hex = createHmac('sha256', keyFor(organization)).update(form.text).digest('hex');
    return `${form.kind === 'jcs' ? 'hmac-sha256' : 'hmac-sha256-raw'}:${hashing.id}:${hex}`;
  };
}

/** The hash of an answer, as it goes out. */
export interface ResultHash {
  update(bytes: Uint8Array): void;
  digest(): string;
}

export type ResultHasher = (organization: string | null) => ResultHash;

/** `hmac-sha256:<key id>:<hex>` over bytes. */
export function keyedResultHasher(hashing: HashingKey): ResultHasher {
  const keyFor = keysFor(hashing, 'portcullis result v1');
  return (organization) => {
    const hmac = createHmac('sha256', keyFor(organization));
    return {
      update: (bytes) => void hmac.update(bytes),
      digest: () => `hmac-sha256:${hashing.id}:${hmac.digest('hex')}`,
    };
  };
}

/** `sha256:<hex>` over bytes. */
export const plainResultHasher: ResultHasher = () => {
  const hash = createHash('sha256');
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => `sha256:${hash.digest('hex')}`,
  };
};

/** Names a token by a keyed hash. */
export function keyedReference({ id, key }: HashingKey): (token: string) => string {
  const bytes = new Uint8Array(hkdfSync('sha256', key, '', 'portcullis token reference v1', keyBytes));
  const derived = createSecretKey(bytes);
  return (token) => `hmac-sha256:${id}:${createHmac('sha256', derived).update(token).digest('hex')}`;
}

/** `sha256:<hex>` over the arguments alone: anybody with a guess can test it. */
export const plainHasher: ArgumentsHasher = (call) => argumentsHash(call.arguments);

/** Says of a stored hash whether it is of this call, with whichever key it was made. */
export function hashMatcher(
  call: Omit<HashedCall, 'organization'>,
  keys: readonly HashingKey[],
): (stored: string, organization: string | null) => boolean {
  const byId = new Map(keys.map((key) => [key.id, keyedHasher(key)]));
  const plain = plainHasher({ ...call, organization: null });
  return (stored, organization) => {
    const id = /^hmac-sha256(?:-raw)?:([0-9a-f]+):/.exec(stored)?.[1];
    if (id === undefined) return stored === plain;
    return byId.get(id)?.({ ...call, organization }) === stored;
  };
}

/** The same of a stored hash of an answer. @param bytes as they were sent on */
export function resultMatcher(
  bytes: Uint8Array,
  keys: readonly HashingKey[],
): (stored: string, organization: string | null) => boolean {
  const hashed = (hasher: ResultHasher, organization: string | null) => {
    const hash = hasher(organization);
    hash.update(bytes);
    return hash.digest();
  };
  const byId = new Map(keys.map((key) => [key.id, keyedResultHasher(key)]));
  const plain = hashed(plainResultHasher, null);
  return (stored, organization) => {
    const id = /^hmac-sha256:([0-9a-f]+):/.exec(stored)?.[1];
    if (id === undefined) return stored === plain;
    const hasher = byId.get(id);
    return hasher !== undefined && hashed(hasher, organization) === stored;
  };
}
