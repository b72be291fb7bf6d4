import type { AuditResult } from '../audit/index.ts';

/** Trace context as a request brings it: in HTTP headers, and in `params._meta` (2026-07-28 basic, "_meta"). */
export interface Carrier {
  /** @param name lower case; undefined where it is absent */
  header(name: string): string | undefined;
  /** Whether it brings a request or notification that could be read: spans are made of these alone. */
  readonly isCall: boolean;
  /** `params._meta` of the message; null where there is none that can be read. */
  readonly meta: Readonly<Record<string, unknown>> | null;
}

/** A call's place in a trace, from its first record on. */
export interface CallTrace {
  /** Null where the caller names none and no spans are made. */
  readonly traceId: string | null;
  /** The caller's span. */
  readonly parentSpanId: string | null;
  /** Ours; null where no spans are made. */
  readonly spanId: string | null;
  readonly onward: Onward;
  /** What its spans are made of when it has ended; null: none are made of this call. */
  readonly recording: Recording | null;
}

export interface Recording {
  /** Of the upstream request: what the upstream is told as its parent. */
  readonly clientSpanId: string;
  readonly traceState: string | null;
  /** What the HTTP headers said, where the message said something else. */
  readonly link: { readonly traceId: string; readonly spanId: string } | null;
}

/** What the upstream is told. */
export interface Onward {
  /** `traceparent`, `tracestate`, `baggage` as far as there is something to say. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the same three of `params._meta` are replaced by these; otherwise the message stays as it came. */
  readonly replacesMeta: boolean;
}

/** What is known of a call that has ended. Nothing of it is a secret, an argument or a token. */
export interface EndedCall {
  readonly trace: CallTrace;
  readonly requestId: string;
  readonly server: string;
  /** Of a list that callers cannot add to; null where it is none of MCP's. */
  readonly method: string | null;
  /** Only of a tool that the upstream has; `other` where the call names another, null where it names none. */
  readonly tool: string | null;
  readonly protocolVersion: string | null;
  /** As JSON. */
  readonly rpcId: string | null;
  readonly result: AuditResult;
  readonly reason: string;
  readonly rpcCode: number | null;
  readonly httpStatus: number | null;
  /** Which limit refused it. */
  readonly limitLayer: string | null;
  /** Layers that would have refused it. */
  readonly wouldDeny: readonly string[];
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly totalMs: number;
  /** From the start to when the call left, and from there to its end; null when it did not leave. */
  readonly leftAfterMs: number | null;
  readonly upstreamMs: number | null;
}

/** What the pipeline tells of calls. Nothing here throws or waits. */
export interface CallTelemetry {
  begin(carrier: Carrier): CallTrace;
  /** Null: nobody wants to know, so that nothing need be gathered. */
  readonly ended: ((call: EndedCall) => void) | null;
  /** How long a call waited for its intent to be durable; null: it could not be written. */
  readonly intentTook: ((ms: number | null) => void) | null;
}
