/** Bounds of a subprocess upstream. Every map, queue and wait in this folder takes its bound from here. */
export interface StdioLimits {
  /** How long a child may stay silent on `server/discover` before `initialize` is tried. */
  readonly probeTimeoutMs: number;
  /** From spawn to a child that takes calls. */
  readonly handshakeTimeoutMs: number;
  readonly restartDelayMs: number;
  readonly restartDelayMaxMs: number;
  /** A child that lived this long starts again without a longer delay. */
  readonly stableAfterMs: number;
  /** A call waits for a restart that is at most this far away; beyond, it fails at once. */
  readonly restartPatienceMs: number;
  /** From closed stdin to SIGTERM. */
  readonly closeGraceMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly terminateGraceMs: number;
  /** One line of stdout. A child that writes a longer one is killed. */
  readonly maxMessageBytes: number;
  /** Unread bytes on stdin beyond which calls are refused. */
  readonly maxStdinQueueBytes: number;
  /** Bytes kept for one receiver that is behind; then its notifications are dropped. */
  readonly maxAnswerQueueBytes: number;
  /** Progress keeps a call alive for at most this many request timeouts. */
  readonly progressFactor: number;
  readonly sessions: number;
  readonly sessionsPerPrincipal: number;
  readonly sessionIdleMs: number;
  /** Children with `isolation: principal`, the gateway's own included. */
  readonly processes: number;
  readonly processIdleMs: number;
  /** Resource URIs of one session or one `subscriptions/listen`. */
  readonly subscriptionsPerSubscriber: number;
  /** Open `subscriptions/listen` requests of one principal. */
  readonly listensPerPrincipal: number;
  /** URIs that a client may subscribe to, and what it says about itself, are kept; so they are short. */
  readonly keptCharacters: number;
  readonly replayEvents: number;
  readonly replayBytes: number;
  /** How long a client may take to answer a request of the server (a person may be typing). */
  readonly clientAnswerTimeoutMs: number;
  readonly serverRequestsPerSession: number;
  /** Rounds of `input_required` that one call of a legacy client may take. */
  readonly inputRounds: number;
  /** Period of keep-alive comments, session expiry and stopping of idle children. */
  readonly sweepMs: number;
}

const mebibyte = 1024 * 1024;
const minute = 60_000;

export const defaultLimits: StdioLimits = {
  probeTimeoutMs: 3000,
  handshakeTimeoutMs: 30_000,
  restartDelayMs: 500,
  restartDelayMaxMs: 30_000,
  stableAfterMs: minute,
  restartPatienceMs: 1000,
  closeGraceMs: 2000,
  terminateGraceMs: 3000,
  maxMessageBytes: 16 * mebibyte,
  maxStdinQueueBytes: 8 * mebibyte,
  maxAnswerQueueBytes: mebibyte,
  progressFactor: 10,
  sessions: 10_000,
  sessionsPerPrincipal: 100,
  sessionIdleMs: 30 * minute,
  processes: 100,
  processIdleMs: 5 * minute,
  subscriptionsPerSubscriber: 200,
  listensPerPrincipal: 32,
  keptCharacters: 2048,
  replayEvents: 100,
  replayBytes: 32 * 1024,
  clientAnswerTimeoutMs: 5 * minute,
  serverRequestsPerSession: 32,
  inputRounds: 8,
  sweepMs: 15_000,
};
