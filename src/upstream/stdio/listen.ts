import { editMeta, type Json, type JsonObject } from '../../protocol/index.ts';
import type { Answer } from './answer.ts';
import { announces, type ChangeKind, canSubscribe, changeKinds, type Subscriber } from './changes.ts';
import { isJsonObject } from './child-message.ts';
import { notificationText, resultText } from './envelope.ts';
import type { Peer } from './handshake.ts';
import type { Hub } from './hub.ts';
import type { StdioLimits } from './limits.ts';
import { metaKeys } from './revisions.ts';

/** What a `subscriptions/listen` asks for, as far as the child can give it. */
export interface ListenFilter {
  readonly kinds: readonly ChangeKind[];
  readonly uris: readonly string[];
}

/**
 * Reads `params.notifications` of a caller.
 * @returns null where it is no filter
 */
export function readFilter(params: JsonObject, peer: Peer, limits: StdioLimits): ListenFilter | null {
  const { notifications } = params;
  if (!isJsonObject(notifications)) return null;
  const uris = notifications['resourceSubscriptions'] ?? [];
  if (!Array.isArray(uris) || uris.length > limits.subscriptionsPerSubscriber) return null;
  const isUri = (uri: Json): uri is string => typeof uri === 'string' && uri.length <= limits.keptCharacters;
  if (!uris.every(isUri)) return null;
  const wanted = changeKinds.filter((kind) => notifications[`${kind}ListChanged`] === true);
  return {
    kinds: wanted.filter((kind) => announces(peer.capabilities, kind)),
    uris: canSubscribe(peer.capabilities) ? [...new Set(uris)] : [],
  };
}

/** A `subscriptions/listen` of a modern client that the gateway serves for a legacy child. */
export class ServedListen implements Subscriber {
  readonly keepsChild = true;
  readonly #answer: Answer;
  readonly #hub: Hub;
  /** JSON text, for the envelope and for `subscriptionId`. */
  readonly #id: string;
  #kinds: readonly ChangeKind[] = [];

  constructor(answer: Answer, hub: Hub, id: string) {
    this.#answer = answer;
    this.#hub = hub;
    this.#id = id;
  }

  /** Subscribes, acknowledges what could be had, and then delivers until one side ends it. */
  async open(filter: ListenFilter): Promise<void> {
    const uris: string[] = [];
    this.#answer.onOver(() => this.#hub.remove(this));
    for (const uri of filter.uris) {
      if (this.#answer.isOver) return;
      const { resources } = this.#hub;
      if (resources.hasRoom(uri) && (await resources.subscribe(uri, this)) === null) uris.push(uri);
    }
    if (this.#answer.isOver) {
      this.#hub.remove(this);
      return;
    }
    this.#acknowledge(filter.kinds, uris);
    this.#kinds = filter.kinds;
    if (filter.kinds.length === 0 && uris.length === 0) this.end();
    else this.#hub.add(this);
  }

  changed(kind: ChangeKind): void {
    if (this.#kinds.includes(kind)) this.#notify(`notifications/${kind}/list_changed`, '{}');
  }

  updated(params: string): void {
    this.#notify('notifications/resources/updated', params);
  }

  /** 2026-07-28 basic/patterns/subscriptions, section Graceful Closure. */
  end(): void {
    this.#answer.stream();
    this.#answer.finish(resultText(this.#id, this.#tagged('{"resultType":"complete"}')));
  }

  #acknowledge(kinds: readonly ChangeKind[], uris: readonly string[]): void {
    const honoured: Record<string, unknown> = {};
    for (const kind of kinds) honoured[`${kind}ListChanged`] = true;
    if (uris.length > 0) honoured['resourceSubscriptions'] = uris;
    this.#notify('notifications/subscriptions/acknowledged', JSON.stringify({ notifications: honoured }));
  }

  #notify(method: string, params: string): void {
    // a client that is too far behind to hear of a change must not believe that there was none
    if (!this.#answer.event(notificationText(method, this.#tagged(params)))) this.#answer.end();
  }

  #tagged(text: string): string {
    return editMeta(text, { set: [[metaKeys.subscriptionId, this.#id]] });
  }
}
