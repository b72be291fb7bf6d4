import { type Clock, randomToken } from '../../base/index.ts';
import type { JsonObject } from '../../protocol/index.ts';
import type { ClientDeclaration } from './bridge.ts';
import type { ChangeKind, Subscriber } from './changes.ts';
import { ClientRequests } from './client-requests.ts';
import { notificationText } from './envelope.ts';
import type { StdioLimits } from './limits.ts';
import { SessionStream } from './session-stream.ts';

/** A call that its client can cancel. */
export interface Cancellable {
  cancelledByClient(): void;
}

/** What one legacy client opened with `initialize`. Outlives the child. */
export class Session implements ClientDeclaration, Subscriber {
  readonly id = randomToken();
  readonly keepsChild = false;
  readonly principalKey: string | null;
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly stream: SessionStream;
  readonly requests: ClientRequests;
  /** Calls in flight by `idKey`. A client may use an id twice; both are then cancelled by it. */
  readonly calls = new Map<string, Set<Cancellable>>();
  logLevel: string | null = null;
  usedAt = 0;

  constructor(
    principalKey: string | null,
    declared: Omit<ClientDeclaration, 'logLevel'>,
    limits: StdioLimits,
  ) {
    this.principalKey = principalKey;
    this.clientInfo = declared.clientInfo;
    this.capabilities = declared.capabilities;
    this.stream = new SessionStream(limits);
    this.requests = new ClientRequests(limits.serverRequestsPerSession);
  }

  get isBusy(): boolean {
    return this.calls.size > 0 || this.stream.isOpen;
  }

  changed(kind: ChangeKind): void {
    this.stream.send(notificationText(`notifications/${kind}/list_changed`, null), true);
  }

  updated(params: string): void {
    this.stream.send(notificationText('notifications/resources/updated', params), true);
  }

  track(key: string, call: Cancellable): void {
    const calls = this.calls.get(key) ?? new Set();
    calls.add(call);
    this.calls.set(key, calls);
  }

  untrack(key: string, call: Cancellable): void {
    const calls = this.calls.get(key);
    if (calls?.delete(call) && calls.size === 0) this.calls.delete(key);
  }
}

/** Every session, bounded in number for each principal and in total: the longest idle one makes room. */
export class Sessions {
  readonly #limits: StdioLimits;
  readonly #clock: Clock;
  readonly #onEnd: (session: Session) => void;
  /** In order of last use. */
  readonly #all = new Map<string, Session>();
  readonly #byPrincipal = new Map<string | null, Set<Session>>();

  constructor(limits: StdioLimits, clock: Clock, onEnd: (session: Session) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#all.size;
  }

  all(): Iterable<Session> {
    return this.#all.values();
  }

  of(principalKey: string | null): Iterable<Session> {
    return this.#byPrincipal.get(principalKey) ?? [];
  }

  create(principalKey: string | null, declared: Omit<ClientDeclaration, 'logLevel'>): Session {
    const session = new Session(principalKey, declared, this.#limits);
    const own = this.#byPrincipal.get(principalKey) ?? new Set<Session>();
    this.#byPrincipal.set(principalKey, own);
    this.#makeRoom(own, this.#limits.sessionsPerPrincipal);
    this.#makeRoom(this.#all.values(), this.#limits.sessions, this.#all.size);
    // room may have been made by ending this principal's last session
    this.#byPrincipal.set(principalKey, own);
    own.add(session);
    this.#touch(session);
    return session;
  }

  /** @returns null for unknown sessions and those of somebody else, alike on purpose */
  get(id: string, principalKey: string | null): Session | null {
    const session = this.#all.get(id);
    if (session === undefined || session.principalKey !== principalKey) return null;
    this.#touch(session);
    return session;
  }

  has(session: Session): boolean {
    return this.#all.get(session.id) === session;
  }

  end(session: Session): void {
    if (!this.#all.delete(session.id)) return;
    const own = this.#byPrincipal.get(session.principalKey);
    own?.delete(session);
    if (own?.size === 0) this.#byPrincipal.delete(session.principalKey);
    this.#onEnd(session);
    session.requests.end();
    session.stream.close();
  }

  endAll(): void {
    for (const session of [...this.#all.values()]) this.end(session);
  }

  /** Ends sessions that were idle for too long. */
  sweep(): void {
    const oldest = this.#clock.monotonic() - this.#limits.sessionIdleMs;
    for (const session of [...this.#all.values()]) {
      if (session.usedAt > oldest) break;
      if (session.isBusy) this.#touch(session);
      else this.end(session);
    }
  }

  #touch(session: Session): void {
    session.usedAt = this.#clock.monotonic();
    this.#all.delete(session.id);
    this.#all.set(session.id, session);
    const own = this.#byPrincipal.get(session.principalKey);
    if (own?.delete(session)) own.add(session);
  }

  #makeRoom(inOrderOfUse: Iterable<Session>, limit: number, size = [...inOrderOfUse].length): void {
    let excess = size - limit + 1;
    for (const session of inOrderOfUse) {
      if (excess <= 0) return;
      excess -= 1;
      this.end(session);
    }
  }
}
