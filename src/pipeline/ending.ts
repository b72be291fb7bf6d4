import { isObject, type Json, type Message } from '../protocol/index.ts';
import type { Ending } from './call-record.ts';

/** Whether this is the response to the call's own request; other messages share a stream with it. */
export function isResponseTo(message: Message | null, json: Json | undefined): boolean {
  if (message?.kind !== 'request' || !isObject(json) || 'method' in json) return false;
  // An error may lack the id, when the server could not read that far (JSON-RPC 2.0 section 5).
  if ('error' in json) return json['id'] === message.id || json['id'] === null || !('id' in json);
  return json['id'] === message.id && 'result' in json;
}

/** @param json the JSON-RPC response, if one could be read */
export function endingOf(json: Json | undefined, status: number): Ending {
  const response = isObject(json) ? json : {};
  const error = response['error'];
  if (isObject(error)) {
    const rpcCode = typeof error['code'] === 'number' ? error['code'] : null;
    const detail = rpcCode === null ? null : `code ${rpcCode}`;
    return { result: 'error', reason: 'rpc_error', detail, status, rpcCode };
  }
  const result = response['result'];
  if (isObject(result) && result['isError'] === true) {
    return { result: 'tool_error', reason: 'tool_error', detail: null, status, isError: true };
  }
  if (status >= 400)
    return { result: 'error', reason: 'upstream_invalid', detail: `status ${status}`, status };
  const isError = isObject(result) && 'content' in result ? false : null;
  return { result: 'success', reason: 'ok', detail: null, status, isError };
}
