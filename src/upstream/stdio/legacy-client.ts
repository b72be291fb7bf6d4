import type { Json, JsonObject } from '../../protocol/index.ts';
import type { UpstreamRequest } from '../upstream.ts';
import type { Answer } from './answer.ts';
import { servableCapabilities } from './bridge.ts';
import { canSubscribe } from './changes.ts';
import { objectAt } from './child-message.ts';
import { errorCodes, errorObject, errorText, resultText } from './envelope.ts';
import { type Front, forward, refuseMessage, withChild } from './front.ts';
import type { Host } from './host.ts';
import { type Incoming, type IncomingRequest, idKey, isRequest, stringAt } from './incoming.ts';
import { initializeResult } from './introduction.ts';
import type { StdioLimits } from './limits.ts';
import { modernOnlyMethods } from './revisions.ts';
import type { Session } from './sessions.ts';

/** Serves clients of revisions 2025-03-26 to 2025-11-25: sessions, whatever the child's era is. */
export class LegacyClients {
  readonly #front: Front;

  constructor(front: Front) {
    this.#front = front;
  }

  handle(incoming: Incoming, answer: Answer): void {
    if (isRequest(incoming) && incoming.message.method === 'initialize') {
      this.#initialize(incoming, answer);
      return;
    }
    const session = this.#session(incoming.request, incoming.id, answer);
    if (session === null) return;
    if (isRequest(incoming)) {
      this.#request(incoming, answer, session);
      return;
    }
    if (incoming.message.kind === 'response') this.#response(incoming, session);
    else this.#notification(incoming, session);
    answer.empty(202);
  }

  /** GET: the session's event stream. */
  openStream(request: UpstreamRequest, answer: Answer): void {
    const session = this.#session(request, 'null', answer);
    session?.stream.open(answer, request.headers['last-event-id']);
  }

  /** DELETE: the client is done. */
  endSession(request: UpstreamRequest, answer: Answer): void {
    const session = this.#session(request, 'null', answer);
    if (session === null) return;
    this.#front.sessions.end(session);
    answer.empty(204);
  }

  #session({ session: id, principalKey }: UpstreamRequest, rawId: string, answer: Answer): Session | null {
    const session = id === null ? null : this.#front.sessions.get(id, principalKey);
    if (session !== null) return session;
    const [status, code, message] =
      id === null
        ? ([400, errorCodes.badSession, 'Mcp-Session-Id header is required'] as const)
        : ([404, errorCodes.sessionNotFound, 'Session not found'] as const);
    answer.finish(errorText(rawId, errorObject(code, message)), status);
    return null;
  }

  #initialize(incoming: IncomingRequest, answer: Answer): void {
    const { pool, sessions, shared } = this.#front;
    const { principalKey } = incoming.request;
    const { params } = incoming.message;
    const host = pool.host(principalKey);
    const capabilities = objectAt(params, 'capabilities');
    if (!shared && !host.slot.isWanted && host.slot.line === null) {
      host.clientCapabilities = short(servableCapabilities(capabilities), this.#front.limits);
    }
    withChild(this.#front, host, {
      answer,
      timed: true,
      use: ({ peer }) => {
        const session = sessions.create(principalKey, {
          clientInfo: short(objectAt(params, 'clientInfo'), this.#front.limits),
          capabilities: short(servableCapabilities(capabilities), this.#front.limits),
        });
        host.hub.add(session);
        const result = initializeResult(peer, params['protocolVersion'], shared);
        answer.finish(resultText(incoming.id, JSON.stringify(result)), 200, session.id);
      },
    });
  }

  #request(incoming: IncomingRequest, answer: Answer, session: Session): void {
    const { method } = incoming.message;
    const { pool, shared } = this.#front;
    const host = pool.host(session.principalKey);
    if (method === 'ping') answer.finish(resultText(incoming.id, '{}'));
    else if (modernOnlyMethods.has(method) || (shared && method.startsWith('tasks/'))) {
      refuseMessage(incoming, answer, { code: errorCodes.methodNotFound, message: 'Method not found' });
    } else if (method === 'logging/setLevel') this.#setLevel(incoming, answer, session);
    else if (method === 'resources/subscribe') this.#subscribe(incoming, answer, session);
    else if (method === 'resources/unsubscribe') this.#unsubscribe(incoming, answer, session);
    else forward(this.#front, incoming, { answer, host, session });
  }

  /**
   * A shared child keeps its level, whatever one of its callers asks for, and its log goes to nobody. A modern child
   * has no level but that of each request.
   */
  #setLevel(incoming: IncomingRequest, answer: Answer, session: Session): void {
    const { pool, shared } = this.#front;
    session.logLevel = shared ? null : stringAt(incoming.message.params, 'level');
    const host = pool.host(session.principalKey);
    if (!shared && host.slot.line?.peer.era === 'legacy') {
      forward(this.#front, incoming, { answer, host, session });
    } else answer.finish(resultText(incoming.id, '{}'));
  }

  #subscribe(incoming: IncomingRequest, answer: Answer, session: Session): void {
    const uri = stringAt(incoming.message.params, 'uri');
    const host = this.#front.pool.host(session.principalKey);
    const { resources } = host.hub;
    const isFull = resources.countOf(session) >= this.#front.limits.subscriptionsPerSubscriber;
    const isUsable = uri !== null && uri.length <= this.#front.limits.keptCharacters;
    if (!isUsable || isFull || !resources.hasRoom(uri)) {
      const message = isUsable ? 'Too many subscriptions' : 'uri is missing or too long';
      refuseMessage(incoming, answer, { code: errorCodes.invalidParams, message });
      return;
    }
    withChild(this.#front, host, {
      answer,
      timed: true,
      use: async ({ peer }) => {
        if (!canSubscribe(peer.capabilities)) {
          refuseMessage(incoming, answer, { code: errorCodes.methodNotFound, message: 'Method not found' });
          return;
        }
        const refusal = await resources.subscribe(uri, session);
        this.#dropIfEnded(host, session);
        if (refusal === null) answer.finish(resultText(incoming.id, '{}'));
        else answer.finish(errorText(incoming.id, refusal.raw('error') ?? 'null'));
      },
    });
  }

  /** The session may have ended while the child was asked. */
  #dropIfEnded(host: Host, session: Session): void {
    if (!this.#front.sessions.has(session)) host.hub.remove(session);
  }

  #unsubscribe(incoming: IncomingRequest, answer: Answer, session: Session): void {
    const uri = stringAt(incoming.message.params, 'uri');
    if (uri !== null) this.#front.pool.host(session.principalKey).hub.resources.unsubscribe(uri, session);
    answer.finish(resultText(incoming.id, '{}'));
  }

  #notification(incoming: Incoming, session: Session): void {
    if (incoming.message.kind !== 'notification') return;
    const { method, params } = incoming.message;
    if (method === 'notifications/cancelled') {
      this.#cancel(params['requestId'], session);
      return;
    }
    // `initialized` was said by the gateway; the rest could change a shared child for everybody
    if (method === 'notifications/initialized' || this.#front.shared) return;
    const line = this.#front.pool.host(session.principalKey).slot.line;
    if (line?.peer.era === 'legacy') line.connection.notify(method, incoming.raw('params'));
  }

  /** The id is looked up among this session's own calls only. */
  #cancel(id: Json | undefined, session: Session): void {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    for (const call of [...(session.calls.get(idKey(id)) ?? [])]) call.cancelledByClient();
  }

  #response(incoming: Incoming, session: Session): void {
    if (incoming.message.kind !== 'response') return;
    const { id, isError } = incoming.message;
    session.requests.answer(id, { isError, raw: incoming.raw(isError ? 'error' : 'result') ?? '{}' });
  }
}

/** What is kept for the life of a session: a client that says too much about itself is taken to say nothing. */
function short(declared: JsonObject, { keptCharacters }: StdioLimits): JsonObject {
  return JSON.stringify(declared).length <= keptCharacters ? declared : {};
}
