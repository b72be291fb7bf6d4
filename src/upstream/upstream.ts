import type { Secret } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';
import type { Era, Message } from '../protocol/index.ts';

/**
 * What lies behind the gateway. Two implementations: `http.ts` (bytes pass through) and `stdio.ts` (a subprocess).
 *
 * An upstream MUST answer every exchange exactly once: `head`, any number of `data`, then `end`; or `fail`, at any
 * point, after which nothing follows. It MUST NOT keep anything of an exchange after that.
 */
export interface Upstream {
  /** Starts the upstream where it needs starting. Resolves when it can take calls, or rejects with the reason. */
  start(): Promise<void>;
  /** Sends one message (or GET / DELETE of a legacy session) and streams the answer into the sink. */
  exchange(request: UpstreamRequest, sink: AnswerSink): Exchange;
  /** Calls `listener` whenever the upstream says that its tools changed. */
  onToolsChanged(listener: () => void): void;
  /** For `/readyz` and logs. */
  state(): UpstreamState;
  /** Orderly stop: no new exchanges; running ones are failed; children are ended. Resolves when nothing is left. */
  close(): Promise<void>;
}

export type UpstreamState = 'idle' | 'starting' | 'ready' | 'down' | 'closed';

export interface UpstreamRequest {
  readonly requestId: string;
  readonly httpMethod: 'POST' | 'GET' | 'DELETE';
  /** The exact bytes that were parsed, authorized and recorded, but for trace context in `_meta`; null for GET and DELETE. */
  readonly body: Buffer | null;
  /** The client's bytes, parsed; null for GET and DELETE. */
  readonly message: Message | null;
  readonly era: Era;
  /** The revision that the client speaks, such as `2026-07-28`. */
  readonly revision: string;
  /** The upstream's own session id (never the client's sealed one), or null. */
  readonly session: string | null;
  /** Who calls, for `isolation: principal`. Null for the gateway's own calls (reading the tool list). */
  readonly principalKey: string | null;
  /** The same in full, for an assertion. Absent for the gateway's own calls. */
  readonly principal?: Principal;
  /** What the caller came with, for the issuer that made it and nobody else. Absent unless the configuration asks for that. */
  readonly callerToken?: Secret;
  /** Headers of the client that may travel on, lower-case names, already allow-listed (`forwardableHeaders`). */
  readonly headers: Readonly<Record<string, string>>;
}

/** Receives one answer. Implemented by the pipeline. */
export interface AnswerSink {
  head(head: AnswerHead): void;
  /** @returns false when the receiver is behind: the upstream pauses until `Exchange.resume()` is called. */
  data(chunk: Buffer): boolean;
  end(): void;
  fail(failure: UpstreamFailure): void;
}

export interface AnswerHead {
  readonly status: number;
  /** Media type without parameters, lower-case: `application/json`, `text/event-stream`, or empty. */
  readonly contentType: string;
  /** Body length in bytes where known. */
  readonly contentLength: number | null;
  /** The upstream's session id where this answer opens one. */
  readonly session: string | null;
  /** Further headers that may reach the client (allow-listed), lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface UpstreamFailure {
  readonly code:
    | 'upstream_unavailable'
    | 'upstream_timeout'
    | 'upstream_invalid'
    | 'upstream_not_connected'
    | 'shutting_down';
  /** For the caller, where there is more to say than that the upstream does not answer. */
  readonly message?: string;
  /** For log and record; may contain text of the upstream, bounded; never a secret. */
  readonly detail: string;
}

/** The running exchange, in the hands of the pipeline. Every method may be called at any time, more than once. */
export interface Exchange {
  /** The client went away or the pipeline gave up: end the upstream request. The sink hears nothing more. */
  abort(): void;
  /** The receiver can take more. */
  resume(): void;
}
