import type { JsonObject } from '../../protocol/index.ts';
import type { UpstreamFailure } from '../upstream.ts';
import type { ForwardedCall } from './call.ts';
import type { ChildMessage } from './child-message.ts';
import { Hub } from './hub.ts';
import { routeNotification, routeRequest } from './server-messages.ts';
import type { Session } from './sessions.ts';
import { type Line, Slot, type SlotOptions } from './slot.ts';

export interface HostOptions extends Omit<SlotOptions, 'clientCapabilities'> {
  /** Several principals use this child: nothing of it may be tied to one of them. */
  readonly shared: boolean;
  readonly principalKey: string | null;
  /** Sessions whose requests this child serves. */
  sessions(): Iterable<Session>;
  onToolsChanged(): void;
}

/** One child with all that depends on it: who calls, who listens, who can be asked. */
export class Host {
  readonly slot: Slot;
  readonly hub: Hub;
  readonly shared: boolean;
  readonly principalKey: string | null;
  /** Calls in flight, for what the child sends unasked. */
  readonly calls = new Set<ForwardedCall>();
  /** Requests of the child that a client is to answer: by the child's id, as JSON text. */
  readonly asked = new Map<string, { readonly session: Session; readonly id: string }>();
  /** Capabilities of the client that started the child; empty where it is shared. */
  clientCapabilities: JsonObject = {};
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
    this.shared = options.shared;
    this.principalKey = options.principalKey;
    this.hub = new Hub({
      onToolsChanged: options.onToolsChanged,
      onOther: (message) => routeNotification(this, message),
    });
    const clientCapabilities = () => this.clientCapabilities;
    this.slot = new Slot(
      { ...options, clientCapabilities },
      {
        onReady: (line, again) => this.hub.ready(line, again),
        onNotification: (message) => this.hub.receive(message),
        onRequest: (message: ChildMessage, line: Line) => routeRequest(this, message, line),
      },
    );
  }

  get isIdle(): boolean {
    return this.calls.size === 0 && !this.slot.isWanted;
  }

  get clientAnswerTimeoutMs(): number {
    return this.#options.limits.clientAnswerTimeoutMs;
  }

  sessions(): Iterable<Session> {
    return this.#options.sessions();
  }

  async stop(failure: UpstreamFailure): Promise<void> {
    this.hub.close();
    await this.slot.stop(failure);
  }
}
