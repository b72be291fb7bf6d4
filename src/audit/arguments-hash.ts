import { createHmac, hkdfSync } from 'node:crypto';
import { sha256Hex } from '../base/index.ts';
import type { JsonObject } from '../protocol/index.ts';
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
export function keyedHasher({ id, key }: HashingKey): ArgumentsHasher {
  const derived = new Map<string, Uint8Array>();
  const keyFor = (organization: string): Uint8Array => {
    const known = derived.get(organization);
    if (known) return known;
    // Hashed: the info of HKDF is bounded, and what a token states is not.
    const info = `portcullis arguments v1\n${sha256Hex(organization)}`;
    const made = new Uint8Array(hkdfSync('sha256', key, '', info, keyBytes));
    if (derived.size >= mostOrganizations) derived.clear();
    derived.set(organization, made);
    return made;
  };
  return (call) => {
    const form = argumentsForm(call.arguments);
    if (!form) return 'unhashable';
    // "arguments" sorts before "tool": this is the canonical form of both together.
    const text = `{"arguments":${form.text},"tool":${JSON.stringify(call.tool)}}`;
    const hex = createHmac('sha256', keyFor(call.organization ?? ''))
      .update(text)
      .digest('hex');
    return `${form.kind === 'jcs' ? 'hmac-sha256' : 'hmac-sha256-raw'}:${id}:${hex}`;
  };
}

/** Names a token by a keyed hash. */
export function keyedReference({ id, key }: HashingKey): (token: string) => string {
  const derived = new Uint8Array(hkdfSync('sha256', key, '', 'portcullis token reference v1', keyBytes));
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
