import type { CallTrace, EndedCall, Recording } from '../call.ts';
import { errorTypeOf } from '../error-type.ts';
import { attribute, other, scope } from '../names.ts';
import { given, integer, type KeyValue, nanoseconds, text } from '../otlp/values.ts';

/** Where the upstream of a server is, as the configuration has it. */
export interface UpstreamPlace {
  readonly transport: 'tcp' | 'pipe';
  readonly address: string | null;
  readonly port: number | null;
}

export interface EncodeOptions {
  readonly resource: readonly KeyValue[];
  readonly placeOf: (server: string) => UpstreamPlace | undefined;
}

/** A call with spans to be made of it. */
export interface RecordedCall extends EndedCall {
  readonly trace: CallTrace & { readonly recording: Recording };
}

const serverKind = 2;
const clientKind = 3;
const errorStatus = 2;
/** `Span.flags`: sampled, whether the parent is remote is known, and that it is. */
const flags = { local: 0x101, remote: 0x301 } as const;

/** ExportTraceServiceRequest. */
export function traceRequest(calls: readonly RecordedCall[], { resource, placeOf }: EncodeOptions): object {
  const spans = calls.flatMap((call) =>
    call.leftAfterMs === null ? [serverSpan(call)] : [serverSpan(call), clientSpan(call, placeOf)],
  );
  const scopeSpans = [{ scope: { name: scope.telemetry }, spans }];
  return { resourceSpans: [{ resource: { attributes: resource }, scopeSpans }] };
}

function serverSpan(call: RecordedCall): object {
  const { trace, startedAt, totalMs } = call;
  const { link } = trace.recording;
  return {
    ...identity(call),
    spanId: trace.spanId,
    ...(trace.parentSpanId && { parentSpanId: trace.parentSpanId }),
    flags: trace.parentSpanId ? flags.remote : flags.local,
    kind: serverKind,
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(startedAt + totalMs),
    attributes: [
      ...shared(call),
      text(attribute.transport, 'tcp'),
      ...given(attribute.rpcId, shownId(call.rpcId)),
      text(attribute.requestId, call.requestId),
      text(attribute.result, call.result),
      text(attribute.reason, call.reason),
      ...(call.httpStatus === null ? [] : [integer(attribute.httpStatus, call.httpStatus)]),
    ],
    ...(link && { links: [{ traceId: link.traceId, spanId: link.spanId, flags: flags.remote }] }),
    ...statusOf(call),
  };
}

function clientSpan(call: RecordedCall, placeOf: EncodeOptions['placeOf']): object {
  const { trace, startedAt, leftAfterMs, totalMs } = call;
  const place = placeOf(call.server);
  return {
    ...identity(call),
    spanId: trace.recording.clientSpanId,
    parentSpanId: trace.spanId,
    flags: flags.local,
    kind: clientKind,
    startTimeUnixNano: nanoseconds(startedAt + (leftAfterMs ?? 0)),
    endTimeUnixNano: nanoseconds(startedAt + totalMs),
    attributes: [
      ...shared(call),
      ...given(attribute.transport, place?.transport),
      ...given(attribute.serverAddress, place?.address),
      ...(place?.port ? [integer(attribute.serverPort, place.port)] : []),
    ],
    ...statusOf(call),
  };
}

/** Names are of closed lists: the method, and a tool that the upstream has. */
function identity(call: RecordedCall): object {
  const { traceState } = call.trace.recording;
  const target = call.tool === null || call.tool === other ? '' : ` ${call.tool}`;
  return {
    traceId: call.trace.traceId,
    ...(traceState && { traceState }),
    name: `${call.method ?? other}${target}`,
  };
}

function shared(call: RecordedCall): KeyValue[] {
  return [
    text(attribute.method, call.method ?? other),
    ...(call.method === 'tools/call' ? [text(attribute.operation, 'execute_tool')] : []),
    ...given(attribute.tool, call.tool === other ? null : call.tool),
    ...given(attribute.protocolVersion, call.protocolVersion),
    text(attribute.server, call.server),
    ...(call.rpcCode === null ? [] : [text(attribute.rpcStatus, String(call.rpcCode))]),
    ...given(attribute.errorType, errorTypeOf(call)),
  ];
}

function statusOf(call: RecordedCall): object {
  return errorTypeOf(call) === null ? {} : { status: { code: errorStatus } };
}

/** A caller's choice: a number or a short plain word. Anything else stays out. */
function shownId(json: string | null): string | null {
  return json !== null && /^(?:-?\d{1,16}|"[\w.:-]{1,64}")$/.test(json) ? json.replaceAll('"', '') : null;
}
