import type { Answer } from './answer.ts';
import type { Deadline } from './deadline.ts';
import { errorCodes, resultText } from './envelope.ts';
import { type Front, forward, refuseMessage, startCall, withChild } from './front.ts';
import { type Incoming, type IncomingRequest, isRequest } from './incoming.ts';
import { discoverResult } from './introduction.ts';
import { readFilter, ServedListen } from './listen.ts';
import { legacyOnlyMethods } from './revisions.ts';
import type { Line } from './slot.ts';

/** Serves clients of revision 2026-07-28: each request stands alone, whatever the child's era is. */
export class ModernClients {
  readonly #front: Front;

  constructor(front: Front) {
    this.#front = front;
  }

  handle(incoming: Incoming, answer: Answer): void {
    if (!isRequest(incoming)) {
      // this revision has no client notification over HTTP, so there is nothing that the child should hear
      answer.empty(incoming.message.kind === 'notification' ? 202 : 400);
      return;
    }
    const { method } = incoming.message;
    const isShut = legacyOnlyMethods.has(method) || (this.#front.shared && method.startsWith('tasks/'));
    if (isShut)
      refuseMessage(incoming, answer, { code: errorCodes.methodNotFound, message: 'Method not found' });
    else if (method === 'server/discover') this.#discover(incoming, answer);
    else if (method === 'subscriptions/listen') this.#listen(incoming, answer);
    else this.#forward(incoming, answer);
  }

  #forward(incoming: IncomingRequest, answer: Answer): void {
    const host = this.#front.pool.host(incoming.request.principalKey);
    forward(this.#front, incoming, { answer, host, session: null });
  }

  #discover(incoming: IncomingRequest, answer: Answer): void {
    this.#byEra(incoming, answer, true, ({ peer }) => {
      answer.finish(resultText(incoming.id, JSON.stringify(discoverResult(peer, this.#front.shared))));
    });
  }

  #listen(incoming: IncomingRequest, answer: Answer): void {
    if (!this.#admit(incoming.request.principalKey, answer)) {
      refuseMessage(incoming, answer, { code: errorCodes.internal, message: 'Too many open subscriptions' });
      return;
    }
    this.#byEra(incoming, answer, false, ({ peer }) => {
      const { limits, pool, servedListens } = this.#front;
      const filter = readFilter(incoming.message.params, peer, limits);
      if (filter === null) {
        refuseMessage(incoming, answer, {
          code: errorCodes.invalidParams,
          message: 'notifications is no valid filter',
        });
        return undefined;
      }
      const listen = new ServedListen(answer, pool.host(incoming.request.principalKey).hub, incoming.id);
      servedListens.add(listen);
      answer.onOver(() => servedListens.delete(listen));
      return listen.open(filter);
    });
  }

  /** Passes the request on to a modern child, and lets the gateway serve it for a legacy one. */
  #byEra(incoming: IncomingRequest, answer: Answer, timed: boolean, serve: (line: Line) => unknown): void {
    const host = this.#front.pool.host(incoming.request.principalKey);
    const use = (line: Line, deadline: Deadline) => {
      if (line.peer.era === 'legacy') return serve(line);
      const limit = timed ? deadline : null;
      return startCall(this.#front, { incoming, answer, host, line, session: null, deadline: limit });
    };
    withChild(this.#front, host, { answer, timed, use });
  }

  #admit(principalKey: string | null, answer: Answer): boolean {
    const { listens, limits } = this.#front;
    const open = listens.get(principalKey) ?? new Set();
    if (open.size >= limits.listensPerPrincipal) return false;
    listens.set(principalKey, open.add(answer));
    answer.onOver(() => {
      open.delete(answer);
      if (open.size === 0) listens.delete(principalKey);
    });
    return true;
  }
}
