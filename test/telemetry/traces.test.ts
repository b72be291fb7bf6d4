import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CallDetails } from '../../src/audit/index.ts';
import { allScopes, startTestGateway, type TestGateway, until } from '../gateway/support.ts';
import {
  type FixtureRequest,
  type FixtureServer,
  startFixtureServer,
} from '../support/fixture-server/index.ts';
import { type Behaviour, type Collector, startCollector, tracedCall } from './support.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';
const good = `00-${trace}-${span}-01`;

interface Seen {
  readonly headers: FixtureRequest['headers'];
  readonly text: string;
  readonly body: {
    readonly params: { readonly _meta?: Record<string, unknown>; readonly arguments?: unknown };
  };
}

/** The calls that the server behind saw, byte for byte. */
const callsOf = (upstream: FixtureServer): Seen[] =>
  upstream.requests
    .filter(({ method }) => method === 'tools/call')
    .map(({ headers, body }) => ({ headers, text: body, body: JSON.parse(body) }));

interface Setting {
  readonly telemetry?: (collector: Collector) => string;
  readonly behaviour?: Behaviour;
  readonly rest?: string;
}

async function traced(t: TestContext, setting: Setting = {}) {
  const collector = await startCollector(t, setting.behaviour);
  const upstream = await startFixtureServer({ port: 0 });
  const telemetry = setting.telemetry?.(collector) ?? `{ otlp: "${collector.url}", metrics: false }`;
  const test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: `telemetry: ${telemetry}\n${setting.rest ?? ''}`,
  });
  let open = true;
  const close = async () => {
    if (open) await test.close();
    if (open) await upstream.close();
    open = false;
  };
  t.after(close);
  await test.gateway.started;
  return { collector, upstream, test, close };
}

const detailsOf = async (test: TestGateway): Promise<CallDetails> => (await test.records()).at(-1) ?? {};

describe('a call of a traced client', () => {
  it('has a server span below the client, and a client span that the upstream is told of', async (t) => {
    const { collector, upstream, test, close } = await traced(t);
    const token = await test.token(allScopes);
    const headers = { traceparent: good, tracestate: 'vendor=1' };
    assert.equal((await tracedCall(test.url, token, { headers, id: 42 })).status, 200);
    const record = await detailsOf(test);
    await close(); // what waits is sent at the end
    assert.deepEqual(collector.faults, []);
    assert.deepEqual(collector.requests[0]?.path, '/v1/traces');
    const [server, client] = collector.spans;
    assert.equal(collector.spans.length, 2);
    assert.deepEqual([server?.traceId, server?.parentSpanId, server?.kind], [trace, span, 2]);
    assert.deepEqual([client?.traceId, client?.parentSpanId, client?.kind], [trace, server?.spanId, 3]);
    assert.deepEqual([server?.name, client?.name], ['tools/call echo', 'tools/call echo']);
    assert.deepEqual([server?.traceState, client?.traceState], ['vendor=1', 'vendor=1']);
    assert.deepEqual(server?.status, {});
    const { 'portcullis.request_id': requestId, ...attributes } = server?.attributes ?? {};
    assert.deepEqual(attributes, {
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'echo',
      'mcp.protocol.version': '2026-07-28',
      'network.transport': 'tcp',
      'jsonrpc.request.id': '42',
      'portcullis.server': 'notes',
      'portcullis.result': 'success',
      'portcullis.reason': 'ok',
      'http.response.status_code': 200,
    });
    const place = new URL(upstream.url);
    assert.deepEqual(client?.attributes['server.address'], place.hostname);
    assert.deepEqual(client?.attributes['server.port'], Number(place.port));
    assert.ok(BigInt(client?.startTimeUnixNano ?? 0) >= BigInt(server?.startTimeUnixNano ?? 1));
    assert.ok(BigInt(client?.endTimeUnixNano ?? 1) <= BigInt(server?.endTimeUnixNano ?? 0));
    assert.deepEqual([record.trace_id, record.span_id, record.parent_span_id], [trace, server?.spanId, span]);
    assert.equal((record as { request_id?: string }).request_id, requestId);
    const seen = callsOf(upstream).at(-1);
    const onward = `00-${trace}-${client?.spanId}-01`;
    assert.deepEqual([seen?.headers['traceparent'], seen?.headers['tracestate']], [onward, 'vendor=1']);
    assert.equal(seen?.body.params._meta?.['traceparent'], onward);
  });

  it('keeps everything of the message but trace context, as it was written', async (t) => {
    const { upstream, test } = await traced(t);
    const token = await test.token(allScopes);
    const args = { text: 'a "quote" \u2028 \\ {"traceparent":"x"}', n: 1e2 };
    const meta = {
      traceparent: good,
      tracestate: 'a=1',
      baggage: 'role=admin',
      'x/own': { deep: [1, { a: null }] },
    };
    await tracedCall(test.url, token, { args, meta });
    const { params } = callsOf(upstream).at(-1)?.body ?? { params: {} };
    assert.deepEqual(params.arguments, args);
    assert.deepEqual(params._meta?.['x/own'], meta['x/own']);
    assert.deepEqual(params._meta?.['tracestate'], 'a=1');
    assert.equal(params._meta?.['baggage'], undefined, 'what nobody listed does not travel on');
    assert.match(
      String(params._meta?.['traceparent']),
      new RegExp(`^00-${trace}-(?!${span})[0-9a-f]{16}-01$`),
    );
  });

  it('the message names the parent, the transport a link', async (t) => {
    const { collector, test, close } = await traced(t);
    const inner = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    await tracedCall(test.url, await test.token(allScopes), {
      headers: { traceparent: good },
      meta: { traceparent: inner },
    });
    await close();
    const [server] = collector.spans;
    assert.deepEqual([server?.traceId, server?.parentSpanId], ['1'.repeat(32), '2'.repeat(16)]);
    assert.deepEqual(
      server?.links.map(({ traceId, spanId }) => [traceId, spanId]),
      [[trace, span]],
    );
  });

  it('reaches a server on standard input and output in `_meta`', async (t) => {
    const collector = await startCollector(t);
    const directory = await mkdtemp(join(tmpdir(), 'portcullis-child-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const [program, seen] = [join(directory, 'server.mjs'), join(directory, 'seen')];
    await writeFile(program, childProgram);
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { command: [node, "${program}", "${seen}"] } }`,
      rest: `telemetry: { otlp: "${collector.url}" }`,
    });
    await test.gateway.started;
    await tracedCall(test.url, await test.token(allScopes), { meta: { traceparent: good, baggage: 'a=1' } });
    await test.close();
    const client = collector.spans.find(({ kind }) => kind === 3);
    assert.equal(client?.attributes['network.transport'], 'pipe');
    const { _meta: meta } = JSON.parse(await readFile(seen, 'utf8'));
    assert.equal(meta.traceparent, `00-${trace}-${client?.spanId}-01`);
    assert.equal(meta.baggage, undefined);
  });
});

/** The least that is an MCP server; keeps the parameters of a call. */
const childProgram = `
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const results = {
  initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'child', version: '1' } },
  'tools/list': { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [] },
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'tools/call') writeFileSync(process.argv[2], JSON.stringify(params));
  if (id === undefined) return;
  const answer = results[method] ? { result: results[method] } : { error: { code: -32601, message: 'unknown' } };
  console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
`;

describe('what a stranger may do to it', () => {
  it('giant and malformed context changes nothing of the call and does not travel on', async (t) => {
    const { collector, upstream, test, close } = await traced(t, {
      telemetry: ({ url }) => `{ otlp: "${url}", traces: { baggage: [tenant] } }`,
    });
    const token = await test.token(allScopes);
    const big = 'x'.repeat(500_000);
    const attacks: { headers?: Record<string, string>; meta?: Record<string, unknown> }[] = [
      { meta: { traceparent: big, tracestate: big, baggage: `tenant=a,y=${big}` } },
      { meta: { traceparent: { toString: 'x' }, tracestate: ['a=1'], baggage: 7 } },
      {
        meta: { traceparent: good, tracestate: 'a=1\r\nx-admin: true', baggage: 'tenant=a\r\nx-admin: true' },
      },
      {
        headers: { traceparent: `00-${'0'.repeat(32)}-${span}-01`, tracestate: 'a=1', baggage: 'role=admin' },
      },
      {
        headers: {
          traceparent: good,
          tracestate: `a=${'v'.repeat(6000)}`,
          baggage: `tenant=${'v'.repeat(6000)}`,
        },
      },
    ];
    for (const attack of attacks) assert.equal((await tracedCall(test.url, token, attack)).status, 200);
    assert.equal(callsOf(upstream).length, attacks.length);
    for (const { headers, text, body } of callsOf(upstream)) {
      assert.match(String(headers['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.equal(headers['tracestate'], undefined);
      assert.equal(headers['baggage'], undefined);
      assert.equal(headers['x-admin'], undefined);
      assert.equal(body.params._meta?.['traceparent'], headers['traceparent']);
      assert.ok(text.length < 2_000 && !text.includes('x-admin'));
    }
    await close();
    assert.deepEqual(collector.faults, []);
    assert.equal(collector.spans.length, 2 * attacks.length);
    assert.ok(!JSON.stringify(collector.requests).includes('x-admin'));
  });

  it('baggage travels on where the operator lists its key, from either carrier', async (t) => {
    const { upstream, test } = await traced(t, {
      telemetry: ({ url }) => `{ otlp: "${url}", traces: { baggage: [tenant] } }`,
    });
    const token = await test.token(allScopes);
    await tracedCall(test.url, token, { headers: { baggage: 'role=admin,tenant=north' } });
    await tracedCall(test.url, token, { meta: { baggage: 'tenant=south;ttl=1,role=admin' } });
    assert.deepEqual(
      callsOf(upstream).map(({ headers, body }) => [headers['baggage'], body.params._meta?.['baggage']]),
      [
        ['tenant=north', 'tenant=north'],
        ['tenant=south', 'tenant=south'],
      ],
    );
  });

  it('no flag of a caller makes a span where the ratio says none, nor tells the upstream to', async (t) => {
    const { collector, upstream, test, close } = await traced(t, {
      telemetry: ({ url }) => `{ otlp: "${url}", traces: { ratio: 0 } }`,
    });
    const token = await test.token(allScopes);
    await tracedCall(test.url, token, { headers: { traceparent: good }, meta: { traceparent: good } });
    await tracedCall(test.url, token, {});
    const [joined, plain] = callsOf(upstream);
    assert.match(String(joined?.headers['traceparent']), new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
    assert.equal(joined?.body.params._meta?.['traceparent'], joined?.headers['traceparent']);
    assert.equal(
      plain?.body.params._meta?.['traceparent'],
      undefined,
      'an unsampled message stays as it came',
    );
    await close();
    assert.equal(collector.spans.length, 0);
  });

  it('names that a caller makes up are in no span', async (t) => {
    const { collector, test, close } = await traced(t);
    const token = await test.token(allScopes);
    for (let index = 0; index < 20; index += 1) {
      await tracedCall(test.url, token, { tool: `made-up-${index}`, id: `id ${index} scripted-name` });
    }
    await fetch(test.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'made-up/method', params: { name: 'made-up' } }),
    });
    await close();
    assert.ok(collector.spans.length >= 20);
    assert.deepEqual([...new Set(collector.spans.map(({ name }) => name))].sort(), ['other', 'tools/call']);
    assert.ok(!JSON.stringify(collector.requests.map(({ body }) => body)).includes('made-up'));
    assert.ok(!JSON.stringify(collector.requests.map(({ body }) => body)).includes('scripted-name'));
    assert.ok(collector.spans.every(({ status }) => status.code === 2));
  });

  it('no token, argument, key or detail is in what leaves', async (t) => {
    const { collector, test, close } = await traced(t);
    const token = await test.token(allScopes);
    await tracedCall(test.url, token, {
      args: { text: 'canary-argument' },
      headers: { 'x-api-key': 'canary-key' },
    });
    await tracedCall(test.url, token.replace(/.{4}$/, 'AAAA'), { args: { text: 'canary-argument' } });
    await tracedCall(test.url, null, { args: { text: 'canary-argument' } });
    await close();
    const sent = collector.requests.map(({ body }) => body).join('');
    assert.equal(collector.spans.length, 4);
    for (const secret of [token, token.split('.')[2] ?? '', 'canary', 'alice', 'jti-']) {
      assert.ok(!sent.includes(secret), secret.slice(0, 20));
    }
    assert.deepEqual(
      collector.spans
        .filter(({ kind }) => kind === 2)
        .map(({ attributes }) => attributes['portcullis.reason']),
      ['ok', 'token_signature', 'token_missing'],
    );
  });
});

describe('a collector that misbehaves', () => {
  it('hangs: calls go on, and the shutdown ends', async (t) => {
    const { test, close, collector } = await traced(t, {
      behaviour: () => true,
      telemetry: ({ url }) => `{ otlp: "${url}", timeout: 1h, traces: { queue: 16 } }`,
      rest: 'limits: { client: none }',
    });
    const token = await test.token(allScopes);
    for (let index = 0; index < 40; index += 1) {
      assert.equal((await tracedCall(test.url, token)).status, 200);
    }
    await until(() => assert.equal(collector.requests.length, 1));
    await close();
  });

  it('redirects to an address inside: nobody follows', async (t) => {
    const inside = await startCollector(t);
    const { collector, test, close } = await traced(t, {
      behaviour: (_request, response) => {
        response.writeHead(307, { location: `${inside.url}/v1/traces` }).end();
        return true;
      },
    });
    await tracedCall(test.url, await test.token(allScopes));
    await close();
    assert.equal(collector.requests.length, 1, 'a redirect is not tried again');
    assert.equal(inside.requests.length, 0);
  });

  it('is busy, then takes it: nothing is lost, and its own headers are sent to it alone', async (t) => {
    let answers = 0;
    const { collector, upstream, test, close } = await traced(t, {
      behaviour: (_request, response) => {
        answers += 1;
        if (answers > 1) return false;
        response.writeHead(503, { 'retry-after': '0' }).end();
        return true;
      },
    });
    await tracedCall(test.url, await test.token(allScopes));
    await close();
    assert.equal(collector.requests.length, 2);
    assert.equal(collector.requests[0]?.body, collector.requests[1]?.body);
    assert.equal(collector.spans.length, 2);
    assert.equal(callsOf(upstream).length, 1);
  });
});
