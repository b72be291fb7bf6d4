import type { CallDetails } from '../audit/index.ts';
import type { Secret } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';
import type { Asking, Decision, Operation, ToolCapture, ToolFacts } from '../policy/index.ts';
import type { Era, Message } from '../protocol/index.ts';
import type { IncomingRequest } from './request.ts';
import type { ProtectedServer } from './runtime.ts';

/**
 * The call as it grows: each step takes one type and gives the next. `forward` takes a `ClearedCall` and only `confirm` makes one,
 * so leaving out a step does not compile.
 */
export interface ReceivedCall {
  readonly requestId: string;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** Milliseconds of the monotonic clock, for the latency. */
  readonly startedAt: number;
  readonly server: ProtectedServer;
  readonly request: IncomingRequest;
  /** Headers that say what is left of the limits, from the limit step on. */
  readonly rateLimit?: Readonly<Record<string, string>>;
  /** For the record: what a step has learnt and no other type carries. Steps write, the record reads. */
  readonly noted: { -readonly [K in keyof CallDetails]: CallDetails[K] };
  /** What the record may keep of a tool's arguments, from the authorize step on. */
  readonly capture?: ToolCapture;
  /** What the caller came with, after it was verified; only where `server.keepsToken`. */
  readonly callerToken?: Secret;
}

export interface ParsedCall extends ReceivedCall {
  readonly httpMethod: 'POST' | 'GET' | 'DELETE';
  /** The bytes that everything below was read from, and that are sent. */
  readonly body: Buffer | null;
  readonly message: Message | null;
  readonly era: Era;
  readonly revision: string;
  readonly operation: Operation;
}

export interface IdentifiedCall extends ParsedCall {
  readonly principal: Principal;
}

/** The caller as policy sees it: what the verified token says, and the time of the request's first byte. */
export function askingOf({ principal, receivedAt }: IdentifiedCall): Asking {
  const { subject, issuer, clientId, organization, scopes } = principal;
  return { caller: { subject, issuer, client: clientId, organization, scopes }, now: receivedAt };
}

export interface AuthorizedCall extends IdentifiedCall {
  readonly decision: Extract<Decision, { allow: true }>;
  readonly facts: ToolFacts | null;
  /** The upstream's session id, unsealed; null where the call names none. */
  readonly session: string | null;
  /** The upstream's id of the last event that the caller has, unsealed; null where it resumes nothing. */
  readonly lastEvent: string | null;
}

declare const admitted: unique symbol;
export interface AdmittedCall extends AuthorizedCall {
  readonly [admitted]: true;
  /** Gives back the place under the concurrency caps. May be called more than once. */
  readonly release: () => void;
}

declare const cleared: unique symbol;
/** A call that passed every control. */
export interface ClearedCall extends AdmittedCall {
  readonly [cleared]: true;
}
