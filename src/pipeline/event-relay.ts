import {
  EventSplitter,
  eventData,
  isObject,
  type Json,
  type JsonObject,
  metaKeys,
  parseUpstreamJson,
  withEventData,
  withEventIds,
} from '../protocol/index.ts';
import type { ClearedCall } from './call.ts';
import type { Ending } from './call-record.ts';
import { endingOf, isResponseTo } from './ending.ts';
import type { Runtime } from './runtime.ts';
import { viewOfMessage, viewOfToolList } from './tool-list-view.ts';

const maxEventBytes = 16 * 1024 * 1024;
const nothing = Buffer.alloc(0);

/**
 * One event stream of the upstream. Events pass whole, each read before it does: none that holds what this caller may not see goes
 * by, and nothing of ours ever lands inside of one. Those that need no change pass byte for byte; ids are sealed.
 */
export class EventRelay {
  readonly #call: ClearedCall;
  readonly #isList: boolean;
  readonly #tasks: Runtime['tasks'];
  readonly #sealed: (id: string) => string;
  #splitter: EventSplitter | null = new EventSplitter(maxEventBytes);
  #ending: Ending | null = null;
  #begun = false;

  constructor(call: ClearedCall, { sessions, tasks }: Pick<Runtime, 'sessions' | 'tasks'>) {
    this.#call = call;
    this.#tasks = tasks;
    const owner = { server: call.server.name, principal: call.principal.key };
    this.#sealed = (id) => sessions.events.seal(owner, id); // the caller may come back with one
    this.#isList = call.operation.kind === 'tools';
  }

  /** How the call ended, once its response has been by. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Whether the server has said something, such as that it took the subscription. */
  get hasBegun(): boolean {
    return this.#begun;
  }

  /** Whether what has passed so far ends between two events. */
  get isBetweenEvents(): boolean {
    return this.#splitter !== null;
  }

  /** @returns what passes now; null when there is an event that cannot be read and must not pass unread */
  push(chunk: Buffer): Buffer | null {
    if (this.#splitter === null) return chunk;
    const events = this.#splitter.push(chunk);
    this.#begun ||= (events?.length ?? 0) > 0;
    if (events === null) return this.#tooLarge(this.#splitter);
    const views: Buffer[] = [];
    for (const event of events) {
      const view = this.#viewOf(event);
      if (view === null) return null;
      views.push(view);
    }
    return views.length === 1 ? (views[0] ?? nothing) : Buffer.concat(views);
  }

  /** The stream has ended: an event that lacks its closing line passes as the others do. */
  rest(): Buffer | null {
    const rest = this.#splitter?.rest() ?? nothing;
    return rest.length > 0 ? this.#viewOf(rest) : rest;
  }

  /** The answer to a call may be of any size. Where tool lists come by (tools/list, a replay on GET), nothing passes unread. */
  #tooLarge(splitter: EventSplitter): Buffer | null {
    if (this.#isList || this.#call.httpMethod === 'GET') return null;
    this.#splitter = null;
    return splitter.rest();
  }

  #answered(json: Json | undefined): void {
    this.#ending ??= endingOf(json, 200);
    this.#tasks.note(this.#call, json);
  }

  #viewOf(received: Buffer): Buffer | null {
    const event = this.#call.era === 'legacy' ? withEventIds(received, this.#sealed) : received;
    const data = eventData(event);
    if (data === null || data === '') return event;
    const json = parseUpstreamJson(data);
    if (isToolsChanged(json)) this.#call.server.catalog.changed();
    if (isResponseTo(this.#call.message, json)) this.#answered(json);
    if (json === undefined) return this.#isList ? null : event;
    const view = this.#isList ? viewOfToolList(json, this.#call) : viewOfMessage(json, this.#call);
    if (view === json) return event;
    return view === null ? null : withEventData(event, JSON.stringify(view));
  }
}

/**
 * The word of the gateway that the tools are others now, for a stream of either era (2026-07-28 basic/patterns/subscriptions: tagged
 * with the subscription, and behind its acknowledgement).
 *
 * @returns null where the stream does not listen for it
 */
export function toolsChangedEvent(
  { era, message, operation }: ClearedCall,
  hasBegun: boolean,
): Buffer | null {
  const method = 'notifications/tools/list_changed';
  if (era === 'legacy') return eventOf({ jsonrpc: '2.0', method });
  if (operation.kind !== 'listen' || !operation.tools || message?.kind !== 'request' || !hasBegun)
    return null;
  return eventOf({ jsonrpc: '2.0', method, params: { _meta: { [metaKeys.subscriptionId]: message.id } } });
}

function eventOf(json: JsonObject): Buffer {
  return Buffer.from(`event: message\ndata: ${JSON.stringify(json)}\n\n`);
}

/** The word of an HTTP upstream that its tools changed passes by here; a subprocess's is heard by its connection. */
function isToolsChanged(json: Json | undefined): boolean {
  if (Array.isArray(json)) return json.some(isToolsChanged);
  return isObject(json) && json['method'] === 'notifications/tools/list_changed';
}
