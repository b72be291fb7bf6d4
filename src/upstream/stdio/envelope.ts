import { singleLine } from '../../protocol/index.ts';

/** JSON-RPC envelopes around JSON text. `id`, `params`, `result` and `error` are JSON text; `null` params are left out. */
export function requestText(id: string, method: string, params: string | null): string {
  return singleLine(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${paramsMember(params)}}`);
}

export function notificationText(method: string, params: string | null): string {
  return singleLine(`{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsMember(params)}}`);
}

export function resultText(id: string, result: string): string {
  return singleLine(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
}

export function errorText(id: string, error: string): string {
  return singleLine(`{"jsonrpc":"2.0","id":${id},"error":${error}}`);
}

/** JSON text of an error object of our own. */
export function errorObject(code: number, message: string): string {
  return JSON.stringify({ code, message });
}

function paramsMember(params: string | null): string {
  return params === null ? '' : `,"params":${params}`;
}

export const errorCodes = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** As the official SDK answers: not in the specification. */
  badSession: -32000,
  sessionNotFound: -32001,
  timedOut: -32001,
} as const;
