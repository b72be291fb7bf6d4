import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';
import { telemetryWarnings } from '../../src/gateway/wire-telemetry.ts';
import { prometheusText, Registry } from '../../src/telemetry/index.ts';
import { allScopes, freePort, modernCall, startTestGateway, until } from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { numberOf, readExposition, type Sample } from './exposition.ts';
import { startCollector, tracedCall } from './support.ts';

interface Setting {
  readonly telemetry: (port: number) => string;
  readonly rest?: string;
  readonly environment?: Record<string, string>;
}

async function measured(t: TestContext, { telemetry, rest = '', environment = {} }: Setting) {
  const upstream = await startFixtureServer({ port: 0 });
  const port = await freePort();
  const test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: `telemetry: ${telemetry(port)}\n${rest}`,
    environment,
  });
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await test.close();
    await upstream.close();
  };
  t.after(close);
  await test.gateway.started;
  const scrape = async (): Promise<Sample[]> => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    return readExposition(await answer.text());
  };
  return { test, upstream, port, close, scrape };
}

const listener = (port: number) => `{ prometheus: { listen: { port: ${port} } } }`;

/** As a scraper would not ask: any Host, any method. */
function ask(port: number, options: { path?: string; method?: string; headers?: Record<string, string> }) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { path = '/metrics', method = 'GET', headers = {} } = options;
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('what a scrape tells', () => {
  it('calls by server, tool, result and reason; times; denials by layer; how things stand', async (t) => {
    const { test, scrape } = await measured(t, {
      telemetry: listener,
      rest: 'limits: { client: 3/min }\ntools:\n  - { match: "delete_*", scope: mcp:tools:admin }\n  - { match: "*", scope: mcp:tools:read }',
    });
    const token = await test.token('mcp:tools:read');
    await tracedCall(test.url, token);
    await tracedCall(test.url, token);
    await tracedCall(test.url, token, { tool: 'delete_note', args: { id: '1' } });
    await tracedCall(test.url, token);
    await tracedCall(test.url, token);
    await tracedCall(test.url, null);
    await until(async () => {
      const samples = await scrape();
      const calls = (labels: Record<string, string>) =>
        numberOf(samples, 'portcullis_calls_total', { portcullis_server: 'notes', ...labels });
      assert.equal(calls({ gen_ai_tool_name: 'echo', portcullis_reason: 'ok' }), 3);
      assert.equal(calls({ gen_ai_tool_name: 'delete_note', portcullis_result: 'denied_scope' }), 1);
      assert.equal(calls({ portcullis_reason: 'limit_client' }), 1);
      assert.equal(calls({ portcullis_reason: 'token_missing', portcullis_result: 'denied_auth' }), 1);
      const denied = (layer: string) =>
        numberOf(samples, 'portcullis_denials_total', { portcullis_layer: layer });
      assert.deepEqual([denied('authentication'), denied('scope'), denied('limit')], [1, 1, 1]);
      assert.equal(numberOf(samples, 'portcullis_denials_total', { portcullis_limit: 'client' }), 1);
      assert.equal(numberOf(samples, 'mcp_server_operation_duration_seconds_count'), 6);
      assert.equal(numberOf(samples, 'mcp_client_operation_duration_seconds_count'), 3);
      assert.equal(numberOf(samples, 'portcullis_gateway_duration_seconds_count'), 6);
      assert.equal(numberOf(samples, 'portcullis_audit_intent_duration_seconds_count'), 3);
      const error = { error_type: '-31429' };
      assert.equal(numberOf(samples, 'mcp_server_operation_duration_seconds_count', error), 1);
      assert.equal(numberOf(samples, 'portcullis_store_up', { portcullis_store: 'audit' }), 1);
      assert.equal(
        numberOf(samples, 'portcullis_upstream_state', {
          portcullis_server: 'notes',
          portcullis_state: 'ready',
        }),
        1,
      );
      assert.equal(
        numberOf(samples, 'portcullis_audit_events_total', { portcullis_event: 'gateway.started' }),
        1,
      );
      assert.ok(numberOf(samples, 'process_memory_usage_bytes') > 1e7);
      assert.ok(numberOf(samples, 'process_cpu_time_seconds_total') > 0);
    });
  });

  it('what observe mode would have refused, and open streams', async (t) => {
    const { test, upstream, scrape } = await measured(t, {
      telemetry: listener,
      rest: 'mode: observe\nhttp: { drainSeconds: 1 }',
    });
    const token = await test.token('mcp:other');
    await (await tracedCall(test.url, token, { tool: 'echo' })).text();
    const stream = new AbortController();
    const listening = await fetch(test.url, {
      method: 'POST',
      signal: stream.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: {
          notifications: { toolsListChanged: true },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    assert.equal(listening.status, 200);
    await until(() => assert.equal(upstream.subscriptions(), 1));
    const samples = await scrape();
    assert.equal(numberOf(samples, 'portcullis_streams'), 1);
    assert.equal(numberOf(samples, 'portcullis_calls_active'), 1);
    assert.ok(numberOf(samples, 'portcullis_would_deny_total', { portcullis_layer: 'scopes' }) >= 1);
    stream.abort();
    await listening.body?.cancel().catch(() => {});
    await until(async () => assert.equal(numberOf(await scrape(), 'portcullis_streams'), 0));
  });

  it('an upstream that is down', async (t) => {
    const { test, upstream, scrape } = await measured(t, { telemetry: listener });
    const token = await test.token(allScopes);
    await tracedCall(test.url, token);
    await upstream.close();
    await tracedCall(test.url, token);
    await until(async () => {
      const samples = await scrape();
      assert.equal(numberOf(samples, 'portcullis_upstream_state', { portcullis_state: 'down' }), 1);
      assert.equal(
        numberOf(samples, 'portcullis_calls_total', { portcullis_reason: 'upstream_unavailable' }),
        1,
      );
    });
  });
});

describe('who may scrape', () => {
  it('nobody at the address of the gateway', async (t) => {
    const { test } = await measured(t, { telemetry: listener });
    for (const path of ['/metrics', '/metrics/', '/mcp/metrics', '//metrics', '/%6detrics']) {
      const answer = await ask(test.port, { path });
      assert.notEqual(answer.status, 200, path);
      assert.ok(!answer.text.includes('portcullis_'), path);
    }
    const token = await test.token(allScopes);
    assert.equal(
      (await fetch(`${test.origin}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status,
      404,
    );
  });

  it('by default whoever is on this machine, and no web page under a name of its own', async (t) => {
    const { test, port } = await measured(t, { telemetry: listener });
    assert.equal((await ask(port, {})).status, 200);
    assert.equal((await ask(port, { method: 'HEAD' })).text, '');
    for (const host of [
      'attacker.example',
      `attacker.example:${port}`,
      '127.0.0.1.attacker.example',
      '10.0.0.1',
    ]) {
      const answer = await ask(port, { headers: { host } });
      assert.ok(answer.status === 403 || answer.status === 400, host);
      assert.ok(!answer.text.includes('portcullis'), host);
    }
    for (const path of [
      '/',
      '/metrics?x=1',
      '/mcp',
      '/healthz',
      '/oauth/token',
      '/.well-known/oauth-protected-resource',
    ]) {
      assert.equal((await ask(port, { path })).status, 404, path);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      assert.equal((await ask(port, { method })).status, 405, method);
    }
    assert.equal(
      (await modernCall(`http://127.0.0.1:${port}/mcp`, await test.token(allScopes), { method: 'ping' }))
        .status,
      404,
    );
  });

  it('whoever has the token, where there is one', async (t) => {
    const secret = 'a-scrape-token-of-the-operator';
    const { port } = await measured(t, {
      telemetry: (at) => `{ prometheus: { listen: { port: ${at} }, token: { env: SCRAPE } } }`,
      environment: { SCRAPE: secret },
    });
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer x',
      `Basic ${secret}`,
      `Bearer ${secret}x`,
      secret,
    ]) {
      const answer = await ask(port, { headers: authorization === undefined ? {} : { authorization } });
      assert.deepEqual([answer.status, answer.text], [401, ''], authorization);
    }
    const answer = await ask(port, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes(secret));
  });

  it('a port that is taken refuses the start, and leaves nothing behind', async (t) => {
    const { test, port } = await measured(t, { telemetry: listener });
    const environment = { PATH: process.env['PATH'] ?? '' };
    const { config } = await loadConfig({ file: test.configFile, environment, cwd: test.dataDir });
    const other = {
      ...config,
      data: `${config.data}/other`,
      listen: { host: '127.0.0.1', port: await freePort() },
    };
    await assert.rejects(
      startGateway({ config: other, clock: systemClock, log: silentLog, environment }),
      new RegExp(`cannot listen for Prometheus on 127.0.0.1:${port}: the port is in use`),
    );
  });
});

describe('a flood of names', () => {
  it('unknown tools and methods are counted as `other`: the number of series does not grow', async (t) => {
    const { test, scrape } = await measured(t, { telemetry: listener, rest: 'limits: { client: none }' });
    const token = await test.token(allScopes);
    const flood = async (from: number, count: number) => {
      for (let index = from; index < from + count; index += 1) {
        await tracedCall(test.url, token, { tool: `made-up-${index}` });
        await modernCall(test.url, token, { method: `made/up${index}` });
        await modernCall(test.url, null, { method: `made/up${index}`, params: { name: `made-up-${index}` } });
      }
    };
    await flood(0, 3);
    const seriesOf = (samples: readonly Sample[]) =>
      samples.filter(({ name }) => /^(portcullis_(calls|denials)|mcp)_/.test(name)).length;
    const before = seriesOf(await scrape());
    await flood(3, 40);
    await until(async () => {
      const samples = await scrape();
      assert.equal(seriesOf(samples), before);
      const unknown = { gen_ai_tool_name: 'other', portcullis_reason: 'unknown_tool' };
      assert.equal(numberOf(samples, 'portcullis_calls_total', unknown), 43);
      assert.ok(!JSON.stringify(samples).includes('made'));
    });
  });

  it('beyond 2,000 series of one instrument everything is counted together', () => {
    const registry = new Registry();
    const counter = registry.counter({ name: 'c', unit: '{x}', text: 'x', keys: ['k'] });
    for (let index = 0; index < 10_000; index += 1) counter.add([`name ${index}`]);
    const samples = readExposition(prometheusText(registry.collect(), []));
    assert.equal(samples.filter(({ name }) => name === 'c_total').length, 2_001);
    assert.equal(numberOf(samples, 'c_total', { otel_metric_overflow: 'true' }), 8_000);
    assert.equal(numberOf(samples, 'c_total'), 10_000);
    const timed = registry.histogram({ name: 'h', unit: 's', text: 'x', keys: ['k'] }, [1, 2]);
    for (let index = 0; index < 3_000; index += 1) timed.record([`name ${index}`], 1.5);
    const times = readExposition(prometheusText(registry.collect(), []));
    assert.equal(times.filter(({ name }) => name === 'h_seconds_count').length, 1_001);
    assert.equal(numberOf(times, 'h_seconds_count'), 3_000);
  });

  it('a name cannot end its line and become a sample', () => {
    const registry = new Registry();
    const counter = registry.counter({ name: 'c', unit: '{x}', text: 'x\ny', keys: ['k'] });
    const names = [
      'a"} 1\nfake_total 7\n',
      '\\',
      '\\"',
      '\\n',
      '\r\n# TYPE x counter',
      '\u001b[31m\u202e',
      '\ud800',
      '',
    ];
    for (const name of names) counter.add([name]);
    const text = prometheusText(registry.collect(), []);
    const samples = readExposition(text);
    assert.deepEqual([...new Set(samples.map(({ name }) => name))], ['target_info', 'c_total']);
    assert.equal(samples.length, names.length + 1);
    assert.ok(samples.some(({ labels }) => labels['k'] === 'a"} 1\\u000afake_total 7\\u000a'));
    assert.ok([...text].every((one) => one === '\n' || (one >= ' ' && one !== '\u202e')));
  });
});

describe('metrics by OTLP', () => {
  it('reach the collector, cumulative, with its headers, and once more at the end', async (t) => {
    const collector = await startCollector(t);
    const { test, close } = await measured(t, {
      telemetry: () =>
        `{ otlp: "${collector.url}/", headers: { authorization: { env: OTLP } }, traces: false, metrics: { every: 200ms } }`,
      environment: { OTLP: 'Bearer of-the-collector' },
    });
    await tracedCall(test.url, await test.token(allScopes));
    const calls = () =>
      collector.metrics
        .find(({ name }) => name === 'portcullis.calls')
        ?.points.reduce((sum, { value }) => sum + value, 0) ?? 0;
    await until(() => assert.equal(calls(), 1));
    await tracedCall(test.url, null);
    await close();
    assert.equal(calls(), 2);
    assert.deepEqual(collector.faults, []);
    assert.ok(collector.requests.every(({ path }) => path === '/v1/metrics'));
    assert.ok(
      collector.requests.every(({ headers }) => headers['authorization'] === 'Bearer of-the-collector'),
    );
    assert.ok(collector.requests.every(({ body }) => !body.includes('of-the-collector')));
    const kinds = Object.fromEntries(collector.metrics.map(({ name, kind }) => [name, kind]));
    assert.equal(kinds['mcp.server.operation.duration'], 'histogram');
    assert.equal(kinds['portcullis.upstream.state'], 'gauge');
    assert.equal(kinds['portcullis.calls'], 'sum');
  });

  it('a collector that hangs or redirects costs nobody anything, and is counted', async (t) => {
    const inside = await startCollector(t);
    let hang = false;
    const collector = await startCollector(t, (_request, response) => {
      if (!hang) response.writeHead(308, { location: `${inside.url}/v1/metrics` }).end();
      return true;
    });
    const { test, scrape, close } = await measured(t, {
      telemetry: (port) =>
        `{ otlp: "${collector.url}", timeout: 1h, metrics: { every: 100ms }, prometheus: { listen: { port: ${port} } } }`,
    });
    const token = await test.token(allScopes);
    await tracedCall(test.url, token);
    await until(async () =>
      assert.ok(
        numberOf(await scrape(), 'portcullis_telemetry_export_failures_total', {
          portcullis_kind: 'metrics',
        }) > 1,
      ),
    );
    hang = true;
    const asked = collector.requests.length;
    await until(() => assert.ok(collector.requests.length > asked));
    const waiting = collector.requests.length;
    await tracedCall(test.url, token);
    assert.ok(collector.requests.length <= waiting + 1, 'one at a time');
    await close();
    assert.equal(inside.requests.length, 0);
  });

  it('without telemetry in the configuration nothing listens and nothing is sent', async (t) => {
    const { test, port } = await measured(t, { telemetry: () => '{}' });
    await tracedCall(test.url, await test.token(allScopes));
    await assert.rejects(ask(port, {}), /ECONNREFUSED/);
  });
});

describe('what the operator is told at start', () => {
  it('metrics that anybody can read, and a collector in plain text beyond this machine', () => {
    const token = new Secret('a-token-of-some-length');
    const collector = (url: string) => ({ url, headers: {}, timeoutMs: 1 });
    const warned = (telemetry: Partial<Config['telemetry']>) =>
      telemetryWarnings({
        telemetry: { traces: null, metrics: null, prometheus: null, ...telemetry },
      } as Config);
    assert.deepEqual(warned({}), []);
    assert.deepEqual(warned({ prometheus: { host: '127.0.0.1', port: 1, token: null } }), []);
    assert.deepEqual(warned({ prometheus: { host: '0.0.0.0', port: 1, token } }), []);
    assert.match(
      warned({ prometheus: { host: '0.0.0.0', port: 1, token: null } }).join(),
      /anybody who reaches 0\.0\.0\.0:1/,
    );
    assert.deepEqual(warned({ metrics: { collector: collector('http://[::1]:4318'), everyMs: 1 } }), []);
    assert.match(
      warned({ metrics: { collector: collector('http://c.example:4318/x'), everyMs: 1 } }).join(),
      /plain text: http:\/\/c\.example:4318 /,
    );
  });
});
