import { messageOf } from '../../base/index.ts';
import type { UpstreamFailure } from '../upstream.ts';
import { type ChildMessage, idOfUnreadable, objectAt, readChildMessage } from './child-message.ts';
import { notificationText, requestText } from './envelope.ts';
import { metaKeys } from './revisions.ts';

/** A request that the child has not answered yet. */
export interface PendingRequest {
  /** A `subscriptions/listen`: the only request that a child may end by `notifications/cancelled`. */
  readonly isSubscription: boolean;
  onResponse(message: ChildMessage): void;
  /** Progress with this request's token, or a message of its subscription. */
  onNotification(message: ChildMessage): void;
  /** The child is gone; nothing follows. */
  onLost(failure: UpstreamFailure): void;
}

export interface ConnectionEvents {
  onNotification(message: ChildMessage): void;
  onRequest(message: ChildMessage): void;
}

/** Where lines go. The process of the child; a test may have another. */
export interface LineWriter {
  write(line: string): boolean;
}

export interface ConnectionCounts {
  /** Answers that nobody waits for: late ones and invented ones. */
  unmatched: number;
  /** Lines of stdout that are no JSON-RPC message. */
  ignored: number;
}

/** Correlates requests and answers over one child. Ids are ours, so callers cannot meet in the child. */
export class Connection {
  readonly counts: ConnectionCounts;
  #events: ConnectionEvents = { onNotification() {}, onRequest() {} };
  readonly #writer: LineWriter;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;
  #lost: UpstreamFailure | null = null;

  constructor(writer: LineWriter, counts: ConnectionCounts) {
    this.#writer = writer;
    this.counts = counts;
  }

  get pending(): number {
    return this.#pending.size;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  listen(events: ConnectionEvents): void {
    this.#events = events;
  }

  /**
   * Sends a request. `params` is asked for its text once the id is known, which serves as progress token too.
   * @returns the id, or the reason why nothing was sent
   */
  send(
    method: string,
    params: (id: number) => string | null,
    pending: PendingRequest,
  ): number | UpstreamFailure {
    if (this.#lost) return this.#lost;
    const id = this.#nextId;
    this.#nextId += 1;
    if (!this.write(requestText(String(id), method, params(id)))) return behind;
    this.#pending.set(id, pending);
    return id;
  }

  /**
   * Sends a request of the gateway itself and waits for its answer. Rejects with ConnectionLost when the child is
   * lost, or gives no answer in time.
   */
  request(method: string, params: string | null, timeoutMs = ownRequestMs): Promise<ChildMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<ChildMessage>();
    const onLost = (failure: UpstreamFailure) => reject(new ConnectionLost(failure));
    const pending = { isSubscription: false, onResponse: resolve, onNotification() {}, onLost };
    const sent = this.send(method, () => params, pending);
    if (typeof sent !== 'number') {
      onLost(sent);
      return promise;
    }
    const timer = setTimeout(() => {
      this.cancel(sent, 'timed out');
      onLost({ code: 'upstream_timeout', detail: `the child did not answer ${method}` });
    }, timeoutMs);
    return promise.finally(() => clearTimeout(timer));
  }

  notify(method: string, params: string | null): boolean {
    return this.write(notificationText(method, params));
  }

  write(line: string): boolean {
    return this.#lost === null && this.#writer.write(line);
  }

  /** Stops waiting and tells the child. An answer that still comes is dropped. */
  cancel(id: number, reason: string): void {
    if (this.#pending.delete(id)) {
      this.notify('notifications/cancelled', JSON.stringify({ requestId: id, reason }));
    }
  }

  receive(bytes: Buffer): void {
    if (this.#lost) return;
    try {
      const message = readChildMessage(bytes);
      if (message === null) this.#ignore(bytes);
      else this.#dispatch(message);
    } catch {
      // whatever a child writes, it does not end the gateway
      this.counts.ignored += 1;
    }
  }

  #ignore(bytes: Buffer): void {
    this.counts.ignored += 1;
    const id = idOfUnreadable(bytes);
    const pending = id === null ? undefined : this.#pending.get(id);
    if (id === null || pending === undefined) return;
    this.#pending.delete(id);
    pending.onLost({ code: 'upstream_invalid', detail: 'the answer is nested beyond reason' });
  }

  #dispatch(message: ChildMessage): void {
    if (message.kind === 'response') this.#respond(message);
    else if (message.kind === 'request') this.#events.onRequest(message);
    else this.#notification(message);
  }

  /** Fails everything that waits. */
  lose(failure: UpstreamFailure): void {
    if (this.#lost) return;
    this.#lost = failure;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.onLost(failure);
  }

  #respond(message: ChildMessage): void {
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined;
    if (pending === undefined) {
      this.counts.unmatched += 1;
      return;
    }
    this.#pending.delete(message.id as number);
    try {
      pending.onResponse(message);
    } catch (error) {
      pending.onLost({ code: 'upstream_invalid', detail: `the answer cannot be used: ${messageOf(error)}` });
    }
  }

  #notification(message: ChildMessage): void {
    const id = this.#isEnd(message) ? message.content['requestId'] : requestOf(message);
    if (id === undefined) this.#events.onNotification(message);
    else if (typeof id === 'number') this.#pending.get(id)?.onNotification(message);
  }

  /** A legacy child numbers its own requests, and cancels those: the number may be one of ours by chance. */
  #isEnd(message: ChildMessage): boolean {
    const { requestId } = message.content;
    if (message.method !== 'notifications/cancelled' || typeof requestId !== 'number') return false;
    return this.#pending.get(requestId)?.isSubscription === true;
  }
}

export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure) {
    super(failure.detail);
    this.failure = failure;
  }
}

/** For requests of the gateway itself, such as subscribing. */
const ownRequestMs = 60_000;

const behind: UpstreamFailure = { code: 'upstream_unavailable', detail: 'the child does not read its input' };

/** The id that a notification names as the request it belongs to; undefined where it belongs to none. */
function requestOf(message: ChildMessage): unknown {
  if (message.method === 'notifications/progress') return message.content['progressToken'] ?? null;
  return objectAt(message.content, '_meta')[metaKeys.subscriptionId];
}
