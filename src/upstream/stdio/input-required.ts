import { setTimeout as delay } from 'node:timers/promises';
import { readJson } from '../../base/index.ts';
import { isObjectText, type JsonObject, rawMember } from '../../protocol/index.ts';
import type { Answer } from './answer.ts';
import { type ChildMessage, isJsonObject, objectAt } from './child-message.ts';
import type { ClientAnswer } from './client-requests.ts';
import type { Session } from './sessions.ts';

export interface InputQuestion {
  /** The child's `input_required` result. */
  readonly message: ChildMessage;
  readonly session: Session;
  /** The answer to the call, whose event stream carries the questions. */
  readonly answer: Answer;
  readonly timeoutMs: number;
}

const maxQuestions = 10;
/** A result with `requestState` alone asks for a retry: not at once, or a child could spin the gateway. */
const pauseMs = 500;

/** Capability that a client declares for each request of a server. */
const capabilityOf: ReadonlyMap<unknown, string> = new Map([
  ['elicitation/create', 'elicitation'],
  ['roots/list', 'roots'],
  ['sampling/createMessage', 'sampling'],
]);

/** Whether a legacy client said that it answers this request of a server. */
export function canAsk(capabilities: JsonObject, method: unknown): boolean {
  const capability = capabilityOf.get(method);
  return capability !== undefined && Object.hasOwn(capabilities, capability);
}

/**
 * Asks a legacy client what a modern child wants to know (2026-07-28 basic/patterns/mrtr).
 * @returns the members that the retry adds to `params`, as JSON text; null where the client cannot or will not answer
 */
export async function askForInput(question: InputQuestion): Promise<[string, string][] | null> {
  const { message, session } = question;
  const result = message.raw('result') ?? '{}';
  const requests = Object.entries(objectAt(message.content, 'inputRequests'));
  const state = rawMember(result, 'requestState');
  const added: [string, string][] = state === null ? [] : [['requestState', state]];
  if (requests.length > maxQuestions || (requests.length === 0 && state === null)) return null;
  if (requests.length === 0) {
    await delay(pauseMs);
    return added;
  }
  const methods = requests.map(([, request]) => (isJsonObject(request) ? request['method'] : null));
  if (!methods.every((method) => canAsk(session.capabilities, method))) return null;
  const raw = rawMember(result, 'inputRequests') ?? '{}';
  const answers = await Promise.all(requests.map(([key]) => ask(question, rawMember(raw, key) ?? '{}')));
  const members = answers.map((answer, index) => {
    return answer === null || answer.isError ? null : `${JSON.stringify(requests[index]?.[0])}:${answer.raw}`;
  });
  if (members.includes(null)) return null;
  return [['inputResponses', `{${members.join(',')}}`], ...added];
}

function ask({ session, answer, timeoutMs }: InputQuestion, request: string): Promise<ClientAnswer | null> {
  const params = rawMember(request, 'params');
  const method: unknown = readJson(rawMember(request, 'method') ?? 'null');
  return new Promise((resolve) => {
    const id = session.requests.ask({
      method: String(method),
      params: params !== null && isObjectText(params) ? params : null,
      timeoutMs,
      send: (text) => answer.event(text),
      answered: resolve,
    });
    if (id === null) resolve(null);
    else answer.onOver(() => session.requests.withdraw(id));
  });
}
