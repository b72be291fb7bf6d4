/** JSON values as JSON.parse gives them. Objects of callers are attacker-controlled: read own properties only. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export type MessageId = string | number;

/** A JSON-RPC 2.0 message of a client, read from bytes that have one meaning only. */
export type Message = RequestMessage | NotificationMessage | ResponseMessage;

export interface RequestMessage {
  readonly kind: 'request';
  readonly id: MessageId;
  readonly method: string;
  readonly params: JsonObject;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

/** A client's answer to a request of the server. Only revisions up to 2025-11-25 have these. */
export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: MessageId;
  readonly isError: boolean;
}

/** Modern: metadata with every request (2026-07-28 on). Legacy: a session opened by `initialize`. */
export type Era = 'modern' | 'legacy';
