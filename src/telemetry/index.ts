export type { CallTelemetry, CallTrace, Carrier, EndedCall, Onward } from './call.ts';
export { attribute, metric, other, scope } from './names.ts';
export { type Collector, type Posted, postOtlp, rejectedIn } from './otlp/post.ts';
export { given, integer, type KeyValue, nanoseconds, text } from './otlp/values.ts';
export type { UpstreamPlace } from './traces/encode.ts';
export { contextKeys, passTrace } from './traces/tracer.ts';
export { createTraces, type Traces, type TracesOptions } from './traces/traces.ts';
