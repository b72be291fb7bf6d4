import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { modernVersion } from '../gateway/support.ts';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number };
}

export interface ReceivedMetric {
  readonly name: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  readonly points: readonly {
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly value: number;
  }[];
}

/** A collector that reads what it gets as the protocol says, and refuses what it does not say. */
export interface Collector {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** Of the last export. */
  readonly metrics: ReceivedMetric[];
  readonly requests: {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }[];
  /** What it could not read. */
  readonly faults: string[];
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

/** @param before answers in its own way and gives true, or leaves it to the collector */
export async function startCollector(t: TestContext, before: Behaviour = () => false): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const metrics: ReceivedMetric[] = [];
  const requests: Collector['requests'] = [];
  const faults: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      if (before(request, response)) return;
      try {
        if (request.headers['content-type'] !== 'application/json') throw new Error('no JSON');
        if (request.url === '/v1/traces') spans.push(...readSpans(JSON.parse(body)));
        else if (request.url === '/v1/metrics')
          metrics.splice(0, metrics.length, ...readMetrics(JSON.parse(body)));
        else throw new Error(`asked for ${request.url}`);
      } catch (error) {
        faults.push(String(error));
        response.writeHead(400).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, spans, metrics, requests, faults };
}

// biome-ignore lint/suspicious/noExplicitAny: what came over the wire, checked as it is read
type Wire = any;

function readSpans(request: Wire): ReceivedSpan[] {
  return request.resourceSpans.flatMap((one: Wire) => {
    must(attributesOf(one.resource.attributes)['service.name'] === 'portcullis', 'no service.name');
    return one.scopeSpans.flatMap((scoped: Wire) => scoped.spans.map(readSpan));
  });
}

function readSpan(span: Wire): ReceivedSpan {
  must(/^[0-9a-f]{32}$/.test(span.traceId), 'trace id');
  must(/^[0-9a-f]{16}$/.test(span.spanId), 'span id');
  must(span.parentSpanId === undefined || /^[0-9a-f]{16}$/.test(span.parentSpanId), 'parent id');
  must(typeof span.name === 'string' && span.name !== '', 'name');
  for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) must(/^\d{19}$/.test(time), 'time');
  must(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), 'the end lies before the start');
  return {
    ...span,
    attributes: attributesOf(span.attributes),
    links: span.links ?? [],
    status: span.status ?? {},
  };
}

function readMetrics(request: Wire): ReceivedMetric[] {
  return request.resourceMetrics.flatMap((one: Wire) =>
    one.scopeMetrics.flatMap((scoped: Wire) => scoped.metrics.map(readMetric)),
  );
}

function readMetric(metric: Wire): ReceivedMetric {
  const kind = (['sum', 'gauge', 'histogram'] as const).find((name) => metric[name] !== undefined);
  if (kind === undefined) throw new Error(`${metric.name} is no metric`);
  const data = metric[kind];
  if (kind !== 'gauge') must(data.aggregationTemporality === 2, 'not cumulative');
  const points = data.dataPoints.map((point: Wire) => {
    must(/^\d{19}$/.test(point.timeUnixNano), 'time');
    if (kind === 'histogram') {
      must(point.bucketCounts.length === point.explicitBounds.length + 1, 'buckets');
      const sum = point.bucketCounts.reduce((all: number, count: string) => all + Number(count), 0);
      must(sum === Number(point.count), 'the buckets do not add up');
    }
    const value = Number(kind === 'histogram' ? point.count : (point.asDouble ?? point.asInt));
    must(Number.isFinite(value), 'no number');
    return { attributes: attributesOf(point.attributes ?? []), value };
  });
  return { name: metric.name, kind, points };
}

function attributesOf(list: Wire[]): Record<string, unknown> {
  return Object.fromEntries(
    list.map(({ key, value }) => {
      const [[kind, content] = []] = Object.entries(value);
      must(['stringValue', 'intValue', 'boolValue', 'doubleValue'].includes(String(kind)), 'attribute');
      must(kind !== 'intValue' || typeof content === 'string', '64-bit integers are strings');
      return [key, kind === 'intValue' ? Number(content) : content];
    }),
  );
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not OTLP: ${what}`);
}

/** A call with headers and `_meta` of the test's choice. */
export function tracedCall(
  url: string,
  token: string | null,
  call: {
    readonly tool?: string;
    readonly args?: Record<string, unknown>;
    readonly id?: number | string;
    readonly headers?: Record<string, string>;
    readonly meta?: Record<string, unknown>;
  } = {},
): Promise<Response> {
  const { tool = 'echo', args = { text: 'x' }, id = 1, headers, meta } = call;
  const params = {
    name: tool,
    arguments: args,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': modernVersion,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
      ...meta,
    },
  };
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': modernVersion,
      'mcp-method': 'tools/call',
      'mcp-name': tool,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
  });
}
