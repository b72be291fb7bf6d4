import { isRefusal, type Refusal, refuse } from '../base/index.ts';
import { parseJson } from './json.ts';
import type { Json, JsonObject, Message, MessageId } from './message.ts';

const maxIdLength = 512;
const maxMethodLength = 200;

/** Members that decide what a message does. A second parser that ignores case must not find others (CVE-2026-27896). */
const decisive = {
  message: new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']),
  params: new Set([
    'name',
    'arguments',
    'uri',
    'ref',
    '_meta',
    'notifications',
    'requestid',
    'inputresponses',
  ]),
};
const spelled = new Set(['requestId', 'inputResponses']);

/**
 * Bytes → one typed JSON-RPC 2.0 message, or what is wrong with them.
 * Batches (removed in 2025-06-18) are refused: one request is one decision, one record, one charge.
 *
 * @param bytes attacker-controlled
 */
export function parseMessage(bytes: Uint8Array, maxDepth: number): Message | Refusal {
  const json = parseJson(bytes, maxDepth);
  if (isRefusal(json)) return json;
  if (Array.isArray(json)) return malformed('Batches are not accepted: send one message per request');
  if (!isObject(json)) return malformed('The body is not a JSON-RPC message');
  return messageOfObject(json);
}

function messageOfObject(json: JsonObject): Message | Refusal {
  if (json['jsonrpc'] !== '2.0') return malformed('"jsonrpc" must be "2.0"');
  const variant = caseVariant(json, decisive.message);
  if (variant) return malformed(`"${variant}" must be written exactly so, once`);
  const id = json['id'];
  if (id !== undefined && !isId(id)) return malformed('"id" must be a string or an integer');
  if (json['method'] === undefined) return response(json, id);
  if ('result' in json || 'error' in json)
    return malformed('A message has a method, or a result, or an error');
  return call(json, id);
}

function call(json: JsonObject, id: MessageId | undefined): Message | Refusal {
  const method = json['method'];
  if (typeof method !== 'string' || method === '' || method.length > maxMethodLength) {
    return malformed('"method" must be a string');
  }
  const params = json['params'] ?? {};
  if (json['params'] === null || !isObject(params)) return malformed('"params" must be an object');
  const variant = caseVariant(params, decisive.params);
  if (variant) return malformed(`"params.${variant}" must be written exactly so, once`);
  return id === undefined
    ? { kind: 'notification', method, params }
    : { kind: 'request', id, method, params };
}

function response(json: JsonObject, id: MessageId | undefined): Message | Refusal {
  const isError = 'error' in json;
  if (id === undefined || isError === 'result' in json)
    return malformed('The body is not a JSON-RPC message');
  return { kind: 'response', id, isError };
}

/** Finds a member that differs from a decisive one by case alone (Unicode folding too: ſ, K). */
function caseVariant(object: JsonObject, names: ReadonlySet<string>): string | null {
  for (const key of Object.keys(object)) {
    if (names.has(key) || spelled.has(key)) continue;
    const folded = key.toUpperCase().toLowerCase();
    if (names.has(folded)) return folded;
  }
  return null;
}

function isId(value: Json): value is MessageId {
  return typeof value === 'string' ? value.length <= maxIdLength : Number.isSafeInteger(value);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): Refusal {
  return refuse('malformed_message', message);
}
