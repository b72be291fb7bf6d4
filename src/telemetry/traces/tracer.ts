import type { CallTrace, Carrier } from '../call.ts';
import { allowedBaggage } from './baggage.ts';
import type { RandomIds } from './ids.ts';
import { formatTraceparent, parseTraceparent, parseTracestate, type TraceParent } from './trace-context.ts';

export interface TracerOptions {
  /** Of the calls that may be sampled, from 0 to 1. */
  readonly ratio: number;
  /** Keys of baggage that travel on. */
  readonly baggage: ReadonlySet<string>;
  readonly ids: RandomIds;
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
}

/**
 * Gives a call its place in a trace. A caller can join a trace and can ask not to be sampled; it cannot ask for more than `ratio`: neither
 * its flag nor a trace id that it picks has a say in the draw, and what the upstream is told is our flag.
 */
export function createTracer({
  ratio,
  baggage,
  ids,
  random,
}: TracerOptions): (carrier: Carrier) => CallTrace {
  return (carrier) => {
    if (!carrier.isCall) return passTrace(carrier);
    const { parent, state, link } = contextOf(carrier);
    const sampled = (parent?.sampled ?? true) && random() < ratio;
    const traceId = parent?.traceId ?? ids.traceId();
    const clientSpanId = ids.spanId();
    const carried = allowedBaggage(own(carrier.meta, 'baggage') ?? carrier.header('baggage'), baggage);
    const headers = {
      traceparent: formatTraceparent({ traceId, spanId: clientSpanId, sampled }),
      ...(state !== null && { tracestate: state }),
      ...(carried !== null && { baggage: carried }),
    };
    return {
      traceId,
      parentSpanId: parent?.spanId ?? null,
      spanId: ids.spanId(),
      onward: { headers, replacesMeta: sampled || hasContext(carrier.meta) },
      recording: sampled ? { clientSpanId, traceState: state, link } : null,
    };
  };
}

/** Where no spans are made: the record names the caller's trace, and what is well formed in the headers travels on. */
export function passTrace(carrier: Carrier): CallTrace {
  const { parent, outer: header } = contextOf(carrier);
  const state = header && parseTracestate(carrier.header('tracestate'));
  return {
    traceId: parent?.traceId ?? null,
    parentSpanId: parent?.spanId ?? null,
    spanId: null,
    onward: {
      headers: {
        ...(header && { traceparent: formatTraceparent(header) }),
        ...(state && { tracestate: state }),
      },
      replacesMeta: false,
    },
    recording: null,
  };
}

interface Context {
  readonly parent: TraceParent | null;
  readonly state: string | null;
  /** What the transport says, where the message says something else. */
  readonly link: TraceParent | null;
  /** What the transport says. */
  readonly outer: TraceParent | null;
}

/**
 * MCP reserves the keys of `_meta` and does not say which of the two carriers wins; the OpenTelemetry conventions for MCP do: the
 * message's is the parent, and what the transport says is linked. A `tracestate` belongs to the `traceparent` beside it.
 */
function contextOf({ meta, header }: Carrier): Context {
  const outer = parseTraceparent(header('traceparent'));
  const inner = parseTraceparent(own(meta, 'traceparent'));
  if (inner === null) {
    return { parent: outer, state: outer && parseTracestate(header('tracestate')), link: null, outer };
  }
  const isOther = outer !== null && (outer.traceId !== inner.traceId || outer.spanId !== inner.spanId);
  return {
    parent: inner,
    state: parseTracestate(own(meta, 'tracestate')),
    link: isOther ? outer : null,
    outer,
  };
}

export const contextKeys: readonly string[] = ['traceparent', 'tracestate', 'baggage'];

function hasContext(meta: Carrier['meta']): boolean {
  return meta !== null && contextKeys.some((key) => Object.hasOwn(meta, key));
}

function own(meta: Carrier['meta'], key: string): unknown {
  return meta !== null && Object.hasOwn(meta, key) ? meta[key] : undefined;
}
