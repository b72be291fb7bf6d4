import { announces, canSubscribe, changeKinds, type Subscriber } from './changes.ts';
import type { ChildMessage } from './child-message.ts';
import type { Connection } from './connection.ts';
import { gatewayInfo } from './handshake.ts';
import { metaKeys } from './revisions.ts';
import type { Line } from './slot.ts';

interface Entry {
  readonly subscribers: Set<Subscriber>;
  /** The child's refusal, or null. */
  ready: Promise<ChildMessage | null>;
}

/** Different URIs that one child is asked to watch. */
const maxUris = 10_000;
/** Longer URIs are compared as a whole only. */
const maxUriLength = 2048;

/**
 * Resource subscriptions towards one child, counted over all who asked: the child is told when the first comes and
 * when the last leaves. For a modern child it also keeps the one `subscriptions/listen` by which the gateway hears
 * of changes at all.
 */
export class ResourceWatch {
  readonly #receive: (message: ChildMessage) => void;
  readonly #subscribers = new Map<string, Entry>();
  #line: Line | null = null;
  #listening: number | null = null;
  #planned = false;

  constructor(receive: (message: ChildMessage) => void) {
    this.#receive = receive;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  countOf(subscriber: Subscriber): number {
    let count = 0;
    for (const { subscribers } of this.#subscribers.values()) count += subscribers.has(subscriber) ? 1 : 0;
    return count;
  }

  /** A new child: everything that is wanted is asked for again. */
  attach(line: Line): void {
    this.#line = line;
    this.#listening = null;
    if (line.peer.era === 'modern') {
      this.#listen();
      return;
    }
    for (const uri of this.#subscribers.keys()) {
      // a failure here means that the child is gone again, or no longer knows the resource
      line.connection.request('resources/subscribe', JSON.stringify({ uri })).catch(() => {});
    }
  }

  /** Whether another URI can be watched. */
  hasRoom(uri: string): boolean {
    return this.#subscribers.size < maxUris || this.#subscribers.has(uri);
  }

  /**
   * Subscribes to one URI.
   * @returns the child's refusal, or null; rejects with ConnectionLost when the child is lost
   */
  subscribe(uri: string, subscriber: Subscriber): Promise<ChildMessage | null> {
    const known = this.#subscribers.get(uri);
    if (known) {
      known.subscribers.add(subscriber);
      return known.ready;
    }
    const entry: Entry = { subscribers: new Set([subscriber]), ready: Promise.resolve(null) };
    this.#subscribers.set(uri, entry);
    if (this.#line?.peer.era === 'legacy') entry.ready = this.#ask(this.#line.connection, uri, entry);
    else this.#planListen();
    return entry.ready;
  }

  unsubscribe(uri: string, subscriber: Subscriber): void {
    const entry = this.#subscribers.get(uri);
    if (!entry?.subscribers.delete(subscriber) || entry.subscribers.size > 0) return;
    this.#subscribers.delete(uri);
    if (this.#line?.peer.era !== 'legacy') {
      this.#planListen();
      return;
    }
    this.#line.connection.request('resources/unsubscribe', JSON.stringify({ uri })).catch(() => {});
  }

  drop(subscriber: Subscriber): void {
    for (const uri of [...this.#subscribers.keys()]) this.unsubscribe(uri, subscriber);
  }

  /** Who asked for `uri` or for what it lies below, each once. */
  subscribersOf(uri: string): Set<Subscriber> {
    const found = new Set<Subscriber>();
    for (const asked of withParents(uri)) {
      for (const subscriber of this.#subscribers.get(asked)?.subscribers ?? []) found.add(subscriber);
    }
    return found;
  }

  async #ask(connection: Connection, uri: string, entry: Entry): Promise<ChildMessage | null> {
    let answer: ChildMessage | null = null;
    try {
      answer = await connection.request('resources/subscribe', JSON.stringify({ uri }));
      return answer.isError ? answer : null;
    } finally {
      const failed = answer === null || answer.isError;
      if (failed && this.#subscribers.get(uri) === entry) this.#subscribers.delete(uri);
    }
  }

  #planListen(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      this.#listen();
    });
  }

  /** Opens a `subscriptions/listen` for what is wanted now, and then ends the one before. */
  #listen(): void {
    const line = this.#line;
    if (line?.peer.era !== 'modern' || line.connection.isLost) return;
    const before = this.#listening;
    const notifications = this.#filter(line);
    this.#listening = null;
    if (Object.keys(notifications).length > 0) this.#open(line, notifications);
    if (before !== null) line.connection.cancel(before, 'replaced');
  }

  #open(line: Line, notifications: object): void {
    const _meta = {
      [metaKeys.protocolVersion]: line.peer.revision,
      [metaKeys.clientInfo]: gatewayInfo,
      [metaKeys.clientCapabilities]: {},
    };
    const params = JSON.stringify({ _meta, notifications });
    const sent = line.connection.send('subscriptions/listen', () => params, {
      isSubscription: true,
      onResponse() {},
      onNotification: (message) => this.#receive(message),
      onLost() {},
    });
    this.#listening = typeof sent === 'number' ? sent : null;
  }

  #filter({ peer }: Line): Record<string, unknown> {
    const filter: Record<string, unknown> = {};
    for (const kind of changeKinds) {
      if (announces(peer.capabilities, kind)) filter[`${kind}ListChanged`] = true;
    }
    if (canSubscribe(peer.capabilities) && this.#subscribers.size > 0) {
      filter['resourceSubscriptions'] = [...this.#subscribers.keys()];
    }
    return filter;
  }
}

/** A URI and those it lies below, with and without the slash at their end. */
function* withParents(uri: string): Generator<string> {
  yield uri;
  if (uri.length > maxUriLength) return;
  for (let at = uri.lastIndexOf('/'); at > 0; at = uri.lastIndexOf('/', at - 1)) {
    if (at < uri.length - 1) yield uri.slice(0, at + 1);
    yield uri.slice(0, at);
  }
}
