import {
  type JsonObject,
  type Member,
  type Message,
  type MessageId,
  membersOf,
  type RequestMessage,
} from '../../protocol/index.ts';
import type { UpstreamRequest } from '../upstream.ts';

/** A client's message with the text of its members. Everything here is the caller's. */
export class Incoming {
  readonly request: UpstreamRequest;
  readonly message: Message;
  readonly #text: string;
  readonly #members: readonly Member[];

  constructor(request: UpstreamRequest, message: Message, body: Buffer) {
    this.request = request;
    this.message = message;
    this.#text = body.toString();
    this.#members = membersOf(this.#text);
  }

  /** JSON text of the request's id, as the client wrote it; `null` where the message has none. */
  get id(): string {
    return this.raw('id') ?? 'null';
  }

  raw(key: string): string | null {
    const member = this.#members.findLast((candidate) => candidate.key === key);
    return member ? this.#text.slice(member.valueStart, member.valueEnd) : null;
  }
}

/** A request, with its text. */
export interface IncomingRequest extends Incoming {
  readonly message: RequestMessage;
}

export function isRequest(incoming: Incoming): incoming is IncomingRequest {
  return incoming.message.kind === 'request';
}

/** Key of a JSON-RPC id in a map: 1 and "1" are two ids. */
export function idKey(id: MessageId): string {
  return `${typeof id}:${id}`;
}

export function stringAt(object: JsonObject, key: string): string | null {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === 'string' ? value : null;
}
