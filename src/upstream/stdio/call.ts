import { readJson } from '../../base/index.ts';
import { editMeta, editObject, isObjectText, rawMember } from '../../protocol/index.ts';
import type { UpstreamFailure } from '../upstream.ts';
import type { Answer } from './answer.ts';
import { errorForClient, type Parties, paramsForChild, resultForClient } from './bridge.ts';
import type { ChildMessage } from './child-message.ts';
import { isJsonObject, objectAt } from './child-message.ts';
import type { PendingRequest } from './connection.ts';
import type { Deadline } from './deadline.ts';
import { errorCodes, errorObject, errorText, notificationText, resultText } from './envelope.ts';
import type { Host } from './host.ts';
import { type IncomingRequest, idKey } from './incoming.ts';
import { askForInput } from './input-required.ts';
import { withoutPersonal } from './introduction.ts';
import { metaKeys, statusOfError } from './revisions.ts';
import type { Cancellable, Session } from './sessions.ts';
import type { Line } from './slot.ts';

export interface CallOptions {
  readonly incoming: IncomingRequest;
  readonly answer: Answer;
  readonly host: Host;
  readonly line: Line;
  /** Null for modern clients. */
  readonly session: Session | null;
  /** Null for subscriptions, which have no end. */
  readonly deadline: Deadline | null;
  readonly inputRounds: number;
}

/** One request of a client that the child answers. */
export class ForwardedCall implements PendingRequest, Cancellable {
  readonly answer: Answer;
  readonly session: Session | null;
  readonly deadline: Deadline | null;
  readonly #options: CallOptions;
  readonly #parties: Parties;
  readonly #method: string;
  /** JSON text of the client's progress token; null where it asked for no progress. */
  readonly #progressToken: string | null;
  #childId: number | null = null;
  #rounds = 0;

  constructor(options: CallOptions) {
    const { incoming, line, host, session } = options;
    this.#options = options;
    this.answer = options.answer;
    this.session = session;
    this.deadline = options.deadline;
    this.#method = incoming.message.method;
    this.#parties = { client: incoming.request.era, peer: line.peer, session, shared: host.shared };
    this.#progressToken = progressTokenOf(incoming);
  }

  /** Whether a modern client asked for log messages of this request. */
  get wantsLog(): boolean {
    const meta = objectAt(this.#options.incoming.message.params, '_meta');
    return Object.hasOwn(meta, metaKeys.logLevel);
  }

  get isSubscription(): boolean {
    return this.#method === 'subscriptions/listen';
  }

  start(): void {
    const { host, session, incoming, answer } = this.#options;
    const key = idKey(incoming.message.id);
    host.calls.add(this);
    session?.track(key, this);
    answer.onOver(() => {
      host.calls.delete(this);
      session?.untrack(key, this);
      this.#cancel('nobody waits any more');
    });
    this.#send(incoming.raw('params'));
  }

  onResponse(message: ChildMessage): void {
    this.#childId = null;
    if (this.answer.isOver) return;
    if (message.isError) this.#error(message);
    else if (this.#needsInput(message)) this.#askClient(message);
    else this.answer.finish(resultText(this.#options.incoming.id, this.#result(message)));
  }

  onNotification(message: ChildMessage): void {
    const params = message.raw('params') ?? '{}';
    if (message.method !== 'notifications/progress') this.#subscriptionMessage(message, params);
    else if (this.#progressToken !== null) {
      this.deadline?.extend();
      const restored = editObject(params, { set: [['progressToken', this.#progressToken]] });
      this.answer.event(notificationText(message.method, restored));
    }
  }

  onLost(failure: UpstreamFailure): void {
    this.#childId = null;
    this.answer.fail(failure);
  }

  /** The client says that it needs no answer (2025-11-25 basic/utilities/cancellation). */
  cancelledByClient(): void {
    this.#cancel('cancelled by the client');
    if (this.answer.isStreaming) this.answer.end();
    else this.#refuse(errorCodes.internal, 'The request was cancelled');
  }

  #send(params: string | null): void {
    const wantsProgress = this.#progressToken !== null;
    const text = (id: number) => paramsForChild(params, this.#parties, wantsProgress ? id : null);
    const sent = this.#options.line.connection.send(this.#method, text, this);
    if (typeof sent === 'number') this.#childId = sent;
    else this.answer.fail(sent);
  }

  #cancel(reason: string): void {
    if (this.#childId === null) return;
    this.#options.line.connection.cancel(this.#childId, reason);
    this.#childId = null;
  }

  #error(message: ChildMessage): void {
    const { text, code } = errorForClient(message, this.#parties);
    const { incoming } = this.#options;
    this.answer.finish(errorText(incoming.id, text), statusOfError(incoming.request.era, code));
  }

  #refuse(code: number, text: string): void {
    this.answer.finish(errorText(this.#options.incoming.id, errorObject(code, text)));
  }

  #result(message: ChildMessage): string {
    const result = resultForClient(message, this.#method, this.#parties);
    if (this.#parties.client === 'legacy') return result;
    if (this.isSubscription) return this.#tagged(result);
    return this.#method === 'server/discover' && this.#parties.shared ? withoutPersonalIn(result) : result;
  }

  /** A message of this request's own `subscriptions/listen`. */
  #subscriptionMessage(message: ChildMessage, params: string): void {
    if (!this.isSubscription) return;
    if (message.method === 'notifications/cancelled') this.answer.end();
    else if (!this.answer.event(notificationText(message.method, this.#tagged(params)))) this.answer.abort();
  }

  #tagged(text: string): string {
    if (!isObjectText(text)) return text;
    return editMeta(text, { set: [[metaKeys.subscriptionId, this.#options.incoming.id]] });
  }

  #needsInput(message: ChildMessage): boolean {
    return this.#parties.client === 'legacy' && message.content['resultType'] === 'input_required';
  }

  #askClient(message: ChildMessage): void {
    const { session, host, inputRounds } = this.#options;
    this.#rounds += 1;
    if (session === null || this.#rounds > inputRounds) {
      this.#refuse(errorCodes.internal, 'The server asks for more input than the client can give');
      return;
    }
    const { clientAnswerTimeoutMs } = host;
    this.deadline?.allow(clientAnswerTimeoutMs);
    askForInput({ message, session, answer: this.answer, timeoutMs: clientAnswerTimeoutMs })
      .then((added) => this.#retry(added))
      .catch(() => this.answer.fail({ code: 'upstream_invalid', detail: 'input_required cannot be read' }));
  }

  #retry(added: readonly (readonly [string, string])[] | null): void {
    if (this.answer.isOver) return;
    if (added === null) {
      this.#refuse(errorCodes.internal, 'The server asks for input that the client did not give');
      return;
    }
    this.deadline?.extend();
    const params = this.#options.incoming.raw('params') ?? '{}';
    const remove = (key: string) => key === 'inputResponses' || key === 'requestState';
    this.#send(editObject(params, { remove, set: added }));
  }
}

function progressTokenOf(incoming: IncomingRequest): string | null {
  const token = objectAt(incoming.message.params, '_meta')['progressToken'];
  if (typeof token !== 'string' && typeof token !== 'number') return null;
  const meta = rawMember(incoming.raw('params') ?? '{}', '_meta');
  return meta === null ? null : rawMember(meta, 'progressToken');
}

/** A `server/discover` result without the capabilities that a shared child cannot offer. */
function withoutPersonalIn(result: string): string {
  const capabilities = rawMember(result, 'capabilities');
  const parsed: unknown = capabilities === null ? null : readJson(capabilities);
  if (!isJsonObject(parsed as never)) return result;
  return editObject(result, { set: [['capabilities', JSON.stringify(withoutPersonal(parsed as never))]] });
}
