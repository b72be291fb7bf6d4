import type { Clock, Log } from '../../base/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { CallTrace, Carrier, EndedCall } from '../call.ts';
import { type Collector, postOtlp, rejectedIn, signalUrl } from '../otlp/post.ts';
import { type EncodeOptions, type RecordedCall, traceRequest } from './encode.ts';
import { RandomIds } from './ids.ts';
import { Shipper, type ShipperState } from './shipper.ts';
import { createTracer } from './tracer.ts';

export interface TracesOptions extends EncodeOptions {
  readonly collector: Collector;
  readonly ratio: number;
  readonly baggage: readonly string[];
  /** Calls that may wait to be sent. */
  readonly queue: number;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly everyMs?: number;
  readonly firstRetryMs?: number;
}

export interface Traces {
  begin(carrier: Carrier): CallTrace;
  ended(call: EndedCall): void;
  state(): ShipperState;
  close(withinMs: number): Promise<void>;
}

const batchItems = 256;
const batchEveryMs = 5_000;

/** Calls become spans when they are sent: of one that is not sampled nothing is kept, and of one that is, only what its record holds. */
export function createTraces(options: TracesOptions): Traces {
  const { ratio, queue, log, random, everyMs = batchEveryMs, firstRetryMs } = options;
  const collector = { ...options.collector, url: signalUrl(options.collector.url, 'traces') };
  const begin = createTracer({ ratio, baggage: new Set(options.baggage), ids: new RandomIds(), random });
  const shipper = new Shipper<RecordedCall>({
    send: (calls) => postOtlp(collector, traceRequest(calls, options), options),
    rejectedOf: (body, calls) => Math.min(rejectedIn(body, 'rejectedSpans', 2 * calls.length), calls.length),
    queue,
    batch: { items: Math.min(batchItems, queue), everyMs },
    log,
    random,
    ...(firstRetryMs !== undefined && { firstRetryMs }),
  });
  return {
    begin,
    ended(call) {
      if (isRecorded(call)) shipper.add(call);
    },
    state: () => shipper.state(),
    close: (withinMs) => shipper.close(withinMs),
  };
}

function isRecorded(call: EndedCall): call is RecordedCall {
  return call.trace.recording !== null;
}
