import type { ForwardedCall } from './call.ts';
import type { ChildMessage } from './child-message.ts';
import type { ClientAnswer } from './client-requests.ts';
import { errorCodes, errorObject, errorText, notificationText, resultText } from './envelope.ts';
import type { Host } from './host.ts';
import { canAsk } from './input-required.ts';
import type { Session } from './sessions.ts';
import type { Line } from './slot.ts';

/**
 * A request of a legacy child to its client. A shared child has no one client: whoever it asked would see, or could
 * forge, what belongs to another caller. So it is refused there, and routed to its principal's client otherwise.
 */
export function routeRequest(host: Host, message: ChildMessage, line: Line): void {
  const id = message.raw('id') ?? 'null';
  // 2026-07-28 stdio, section Receiving Messages: no requests of the server, and no responses of the client
  if (line.peer.era === 'modern') return;
  if (message.method === 'ping') line.connection.write(resultText(id, '{}'));
  else if (host.shared || !askClient(host, message, line)) refuse(line, id, errorCodes.methodNotFound);
}

/** A notification that is about no list and no resource: a log message, or one that the gateway does not know. */
export function routeNotification(host: Host, message: ChildMessage): void {
  // of a shared child nobody can tell for whom it is
  if (host.shared) return;
  if (message.method === 'notifications/cancelled') {
    withdraw(host, message);
    return;
  }
  const text = notificationText(message.method, message.raw('params'));
  const [only, second] = host.calls;
  if (only && !second && (only.session || only.wantsLog)) {
    only.answer.event(text);
    return;
  }
  for (const session of host.sessions()) session.stream.send(text);
}

function askClient(host: Host, message: ChildMessage, line: Line): boolean {
  const route = routeTo(host, message);
  if (!route) return false;
  const { call, session } = route;
  const { clientAnswerTimeoutMs } = host;
  const id = JSON.stringify(message.id);
  const asked = session.requests.ask({
    method: message.method,
    params: message.raw('params'),
    timeoutMs: clientAnswerTimeoutMs,
    send: (text) => (call ? call.answer.event(text) : session.stream.isOpen && session.stream.send(text)),
    answered: (answer) => {
      host.asked.delete(id);
      call?.deadline?.extend();
      reply(line, id, answer);
    },
  });
  if (asked === null) return false;
  host.asked.set(id, { session, id: asked });
  call?.deadline?.allow(clientAnswerTimeoutMs);
  return true;
}

/** The child no longer wants its request answered; the client is told by the id that it knows. */
function withdraw(host: Host, message: ChildMessage): void {
  const asked = host.asked.get(JSON.stringify(message.content['requestId'] ?? null));
  if (!asked) return;
  asked.session.requests.withdraw(asked.id);
  asked.session.stream.send(notificationText(message.method, JSON.stringify({ requestId: asked.id })));
}

interface Route {
  readonly session: Session;
  /** Null: by the session's own stream. */
  readonly call: ForwardedCall | null;
}

/** The stream that carries a request: the one call it can belong to, or a session's own stream, or any call. */
function routeTo(host: Host, message: ChildMessage): Route | null {
  const able = (session: Session | null) => session !== null && canAsk(session.capabilities, message.method);
  const calls = [...host.calls].filter((call) => able(call.session) && !call.answer.isOver);
  const [first] = calls;
  if (first?.session && calls.length === 1) return { session: first.session, call: first };
  const sessions = [...host.sessions()].filter((session) => able(session) && session.stream.isOpen);
  const session =
    sessions.find((candidate) => calls.some((call) => call.session === candidate)) ?? sessions[0];
  if (session) return { session, call: null };
  const last = calls.at(-1);
  return last?.session ? { session: last.session, call: last } : null;
}

function reply(line: Line, id: string, answer: ClientAnswer | null): void {
  if (answer === null) refuse(line, id, errorCodes.timedOut);
  else line.connection.write(answer.isError ? errorText(id, answer.raw) : resultText(id, answer.raw));
}

function refuse(line: Line, id: string, code: number): void {
  const text = code === errorCodes.timedOut ? 'The client did not answer' : 'The client cannot be asked';
  line.connection.write(errorText(id, errorObject(code, text)));
}
