import { editMeta } from '../../protocol/index.ts';
import { announces, type ChangeKind, changeKinds, type Subscriber } from './changes.ts';
import type { ChildMessage } from './child-message.ts';
import { ResourceWatch } from './resource-watch.ts';
import { metaKeys } from './revisions.ts';
import type { Line } from './slot.ts';

export interface HubOptions {
  onToolsChanged(): void;
  /** Notifications that are about no list and no resource. */
  onOther(message: ChildMessage): void;
}

/** A child that announces changes without end must not multiply them by the number of clients. */
const quietMs = 100;

/** Spreads the changes that one child announces. */
export class Hub {
  readonly resources: ResourceWatch;
  readonly #options: HubOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #quiet = new Map<ChangeKind, { timer: NodeJS.Timeout; again: boolean }>();

  constructor(options: HubOptions) {
    this.#options = options;
    this.resources = new ResourceWatch((message) => this.receive(message));
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Whether somebody waits for what the child may announce, though nobody calls. */
  get isWatched(): boolean {
    if (this.resources.size > 0) return true;
    for (const { keepsChild } of this.#subscribers) if (keepsChild) return true;
    return false;
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.resources.drop(subscriber);
  }

  /** Carries subscriptions over to a new child, and tells everybody that it may have other lists. */
  ready(line: Line, again: boolean): void {
    this.resources.attach(line);
    if (!again) return;
    for (const kind of changeKinds) {
      if (announces(line.peer.capabilities, kind)) this.#announce(kind);
    }
    if (!announces(line.peer.capabilities, 'tools')) this.#options.onToolsChanged();
  }

  receive(message: ChildMessage): void {
    const kind = changeKinds.find(
      (candidate) => message.method === `notifications/${candidate}/list_changed`,
    );
    if (kind) this.#announce(kind);
    else if (message.method === 'notifications/resources/updated') this.#updated(message);
    else this.#options.onOther(message);
  }

  close(): void {
    for (const { timer } of this.#quiet.values()) clearTimeout(timer);
    this.#quiet.clear();
  }

  #announce(kind: ChangeKind): void {
    const quiet = this.#quiet.get(kind);
    if (quiet) {
      quiet.again = true;
      return;
    }
    const timer = setTimeout(() => {
      const again = this.#quiet.get(kind)?.again;
      this.#quiet.delete(kind);
      if (again) this.#announce(kind);
    }, quietMs).unref();
    this.#quiet.set(kind, { timer, again: false });
    if (kind === 'tools') this.#options.onToolsChanged();
    for (const subscriber of this.#subscribers) subscriber.changed(kind);
  }

  #updated(message: ChildMessage): void {
    const { uri } = message.content;
    if (typeof uri !== 'string') return;
    const params = editMeta(message.raw('params') ?? '{}', {
      remove: (key) => key === metaKeys.subscriptionId,
    });
    for (const subscriber of this.resources.subscribersOf(uri)) subscriber.updated(params);
  }
}
