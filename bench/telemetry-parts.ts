// What the parts of telemetry cost a call by themselves: `node bench/telemetry-parts.ts`. Processor time of this process, which other load
// on the machine changes little; beside it the reading of one message, which every call pays, so that ratios can be compared.
import { parseMessage } from '../src/protocol/index.ts';
import { createCallMeters, type EndedCall, passTrace, Registry } from '../src/telemetry/index.ts';
import { traceRequest } from '../src/telemetry/traces/encode.ts';
import { RandomIds } from '../src/telemetry/traces/ids.ts';
import { createTracer } from '../src/telemetry/traces/tracer.ts';

const times = 200_000;
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  traceparent,
};
const params = { name: 'echo', arguments: { text: 'x'.repeat(200) }, _meta: meta };
const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
const carrier = { header: () => undefined, isCall: true, meta };
const begin = createTracer({ ratio: 1, baggage: new Set(), ids: new RandomIds(), random: Math.random });
const meters = createCallMeters(new Registry());
const ended = (): EndedCall => ({
  trace: begin(carrier),
  requestId: '01a21558-66e3-71bd-8553-d843b0ee01b3',
  server: 'notes',
  method: 'tools/call',
  tool: 'echo',
  protocolVersion: '2026-07-28',
  rpcId: '1',
  result: 'success',
  reason: 'ok',
  rpcCode: null,
  httpStatus: 200,
  limitLayer: null,
  wouldDeny: [],
  startedAt: 1_795_654_444_771,
  totalMs: 4.2,
  leftAfterMs: 1.1,
  upstreamMs: 3.1,
});
const one = ended();
const batch = Array.from({ length: 256 }, ended) as Parameters<typeof traceRequest>[0];

/** Microseconds of processor time for each. */
function measure(each: () => unknown, count: number): number {
  for (let index = 0; index < count / 10; index += 1) each();
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) each();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const reading = measure(() => parseMessage(body, 64), times);
const rows: [string, number][] = [
  ['off: trace context read and passed on', measure(() => passTrace(carrier), times)],
  ['metrics: a call counted and timed', measure(() => meters.ended(one), times)],
  ['traces: ids, draw, context', measure(() => begin(carrier), times)],
  [
    'traces: two spans as JSON',
    measure(() => JSON.stringify(traceRequest(batch, { resource: [], placeOf: () => undefined })), 800) /
      batch.length,
  ],
];
for (const [name, time] of [['(reading the message)', reading] as const, ...rows]) {
  process.stdout.write(
    `${name.padEnd(40)} ${time.toFixed(2).padStart(6)} µs   ${(time / reading).toFixed(2)}\n`,
  );
}
