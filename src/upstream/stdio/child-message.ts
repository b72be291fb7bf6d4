import {
  isBeyondReason,
  type Json,
  type JsonObject,
  type Member,
  membersOf,
  parseUpstreamJson,
} from '../../protocol/index.ts';

export type ChildMessageKind = 'request' | 'notification' | 'response';

/** One message of a child, with the text it was written in. */
export class ChildMessage {
  readonly kind: ChildMessageKind;
  /** Empty for responses. */
  readonly method: string;
  readonly id: Json;
  /** `params`, `result` or `error` as parsed; an empty object where it is absent or no object. */
  readonly content: JsonObject;
  readonly isError: boolean;
  readonly #text: string;
  readonly #members: readonly Member[];

  constructor(text: string, value: JsonObject) {
    this.#text = text;
    this.#members = membersOf(text);
    this.kind = kindOf(value);
    this.method = typeof value['method'] === 'string' ? value['method'] : '';
    this.id = value['id'] ?? null;
    this.isError = this.kind === 'response' && Object.hasOwn(value, 'error');
    const content = value['params'] ?? value['error'] ?? value['result'];
    this.content = isJsonObject(content) ? content : {};
  }

  /** JSON text of a top-level member, without line breaks; null where there is none. */
  raw(key: string): string | null {
    const member = this.#members.findLast((candidate) => candidate.key === key);
    return member ? this.#text.slice(member.valueStart, member.valueEnd) : null;
  }
}

/**
 * Reads one line of a child. Batch arrays (2025-03-26) answer batches only, and none is ever sent.
 * @returns null for anything that is no JSON-RPC 2.0 message
 */
export function readChildMessage(bytes: Buffer): ChildMessage | null {
  const text = bytes.toString();
  const value = parseUpstreamJson(text);
  if (!isJsonObject(value) || value['jsonrpc'] !== '2.0') return null;
  const hasAnswer = Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error');
  if (typeof value['method'] !== 'string' && !hasAnswer) return null;
  if (kindOf(value) === 'request' && !isId(value['id'])) return null;
  // CR is white space here and a line end in an event stream
  return new ChildMessage(text.replaceAll('\r', ' '), value);
}

/**
 * The call that a message answers which is nested too deep to be read, by the looks of how it begins: that call need not wait
 * until it is late. Null for every other text.
 */
export function idOfUnreadable(bytes: Buffer): number | null {
  const id = /^\{"jsonrpc":"2\.0","id":(\d{1,15}),/.exec(bytes.subarray(0, 64).toString())?.[1];
  return id !== undefined && isBeyondReason(bytes.toString()) ? Number(id) : null;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object in `parent[key]`, or an empty one. */
export function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(parent, key) ? parent[key] : undefined;
  return isJsonObject(value) ? value : {};
}

function isId(value: Json | undefined): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

function kindOf(value: JsonObject): ChildMessageKind {
  if (typeof value['method'] !== 'string') return 'response';
  return Object.hasOwn(value, 'id') ? 'request' : 'notification';
}
