import type { Clock } from '../../base/index.ts';
import type { UpstreamFailure } from '../upstream.ts';
import type { Answer } from './answer.ts';
import { type CallOptions, ForwardedCall } from './call.ts';
import { ConnectionLost } from './connection.ts';
import { Deadline } from './deadline.ts';
import { errorObject, errorText } from './envelope.ts';
import type { Host } from './host.ts';
import type { Incoming, IncomingRequest } from './incoming.ts';
import type { StdioLimits } from './limits.ts';
import type { ServedListen } from './listen.ts';
import type { Pool } from './pool.ts';
import { statusOfError } from './revisions.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Line } from './slot.ts';

/** What both kinds of clients are served from. */
export interface Front {
  readonly limits: StdioLimits;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
  readonly shared: boolean;
  readonly pool: Pool;
  readonly sessions: Sessions;
  /** Open `subscriptions/listen` by principal. */
  readonly listens: Map<string | null, Set<Answer>>;
  /** Those of them that the gateway serves itself, to be ended in order. */
  readonly servedListens: Set<ServedListen>;
}

/**
 * Runs `use` with a child that takes calls, in time, and fails the answer otherwise.
 * @param timed false for streams without an end: then only the wait for the child is bounded
 */
export function withChild(
  front: Front,
  host: Host,
  options: { answer: Answer; timed: boolean; use(line: Line, deadline: Deadline): unknown },
): void {
  const { answer, timed, use } = options;
  const deadline = deadlineOf(front, answer);
  front.pool
    .acquire(host)
    .then(async (line) => {
      if (answer.isOver) return;
      if (!timed) deadline.stop();
      await use(line, deadline);
    })
    .catch((error: unknown) => answer.fail(failureOf(error)));
}

/** Fails the answer when its time is up; a call hears of that from the answer and tells the child. */
function deadlineOf(front: Front, answer: Answer): Deadline {
  const timeoutMs = front.requestTimeoutMs;
  const deadline = new Deadline(front.clock, {
    timeoutMs,
    factor: front.limits.progressFactor,
    expire: () => {
      // a complete answer may still wait for a slow receiver
      if (!answer.isOver) answer.fail({ code: 'upstream_timeout', detail: `no answer in ${timeoutMs} ms` });
    },
  });
  answer.onOver(() => deadline.stop());
  return deadline;
}

/** Sends a request on to the child. */
export function forward(
  front: Front,
  incoming: IncomingRequest,
  options: { answer: Answer; host: Host; session: Session | null },
): void {
  const { answer, host, session } = options;
  const use = (line: Line, deadline: Deadline) => {
    startCall(front, { incoming, answer, host, line, session, deadline });
  };
  withChild(front, host, { answer, timed: true, use });
}

export function startCall(front: Front, options: Omit<CallOptions, 'inputRounds'>): void {
  new ForwardedCall({ ...options, inputRounds: front.limits.inputRounds }).start();
}

/** Answers with a JSON-RPC error of the gateway's own. */
export function refuseMessage(
  incoming: Incoming,
  answer: Answer,
  error: { code: number; message: string; status?: number },
): void {
  const status = error.status ?? statusOfError(incoming.request.era, error.code);
  answer.finish(errorText(incoming.id, errorObject(error.code, error.message)), status);
}

function failureOf(error: unknown): UpstreamFailure {
  if (error instanceof ConnectionLost) return error.failure;
  return { code: 'upstream_invalid', detail: 'the call could not be carried out' };
}
