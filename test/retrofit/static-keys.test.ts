import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AuditRecord } from '../../src/audit/index.ts';
import type { Clock } from '../../src/base/index.ts';
import { callTool, modernCall, rpc, startTestGateway, type TestGateway, until } from '../gateway/support.ts';
import { tool } from '../pins/drifting-server.ts';

// The key of before, beside OAuth, until a day.

const key = 'q3vK0mW9zR4tY7uB1nE6sD8fG2hJ5kLx';
const second = 'Zx9Cv8Bn7Mm6As5Df4Gh3Jk2Ql1Wp0Re';
const old = 'oLd0Ke1yT2hA3tI4sO5vE6rN7oW8aB9c';

let test: TestGateway;
let seen: { headers: IncomingMessage['headers']; body: string }[];
let closeUpstream: () => Promise<void>;
let now: number;

beforeEach(async () => {
  seen = [];
  now = Date.parse('2026-11-25T12:00:00Z');
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ headers: request.headers, body });
    const { id, method } = JSON.parse(body || '{}') as { id?: number; method?: string };
    const tools = [tool('read'), tool('write', { annotations: { readOnlyHint: false } })];
    const result = method === 'tools/list' ? { tools } : { content: [] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeUpstream = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const clock: Clock = { now: () => now, monotonic: () => performance.now() };
  test = await startTestGateway({
    servers: `  notes:
    path: /mcp
    upstream: { url: "${url}", timeout: 2s }
    staticKeys:
      - { name: batch, key: { env: BATCH }, until: 2026-12-31, scopes: [mcp:tools:read], organization: acme }
      - { name: agent, key: { env: AGENT }, until: 2026-12-31, scopes: [mcp:tools:read], header: X-Api-Key }
      - { name: former, key: { env: FORMER }, until: 2026-11-25, scopes: [mcp:tools:read] }`,
    rest: 'limits: { client: 5/min }',
    environment: { BATCH: key, AGENT: second, FORMER: old },
    clock,
  });
  await test.gateway.started;
});

afterEach(async () => {
  await test.close();
  await closeUpstream();
});

const withHeader = (headers: Record<string, string>, name = 'read') =>
  modernCall(test.url, null, { method: 'tools/call', params: { name, arguments: {} }, headers });

describe('a static key', () => {
  it('opens its server with its scopes, and each use is flagged', async () => {
    assert.ok((await rpc(await callTool(test.url, key, 'read'))).result);
    assert.equal((await callTool(test.url, key, 'write')).status, 403);
    assert.ok((await rpc(await withHeader({ 'x-api-key': second }))).result);
    let first: AuditRecord | undefined;
    await until(async () => {
      [first] = (await test.records()).filter(({ tool_name }) => tool_name === 'read');
      assert.ok(first);
    });
    assert.equal(first?.subject, 'batch');
    assert.equal(first?.organization, 'acme');
    assert.equal(first?.principal_type, 'static-key');
    assert.equal(first?.auth_method, 'static-key');
  });

  it('never goes upstream, and stands in no record', async () => {
    await callTool(test.url, key, 'read');
    await withHeader({ 'x-api-key': second });
    const everything = JSON.stringify(seen) + JSON.stringify(await test.records());
    for (const one of [key, second]) assert.ok(!everything.includes(one));
  });

  it('is refused where it does not belong, with an answer that tells nothing', async () => {
    const wrong = await callTool(test.url, `${key.slice(0, -1)}y`, 'read');
    const ended = await callTool(test.url, old, 'read');
    assert.equal(wrong.status, 401);
    assert.equal(ended.status, 401);
    const [{ error: said }, { error: saidOfEnded }] = [await rpc(wrong), await rpc(ended)];
    assert.deepEqual(saidOfEnded?.data, said?.data);
    assert.equal(ended.headers.get('www-authenticate'), wrong.headers.get('www-authenticate'));
    await until(async () => assert.equal((await test.records()).at(-1)?.reason, 'token_key_ended'));
    assert.equal((await callTool(test.url, second, 'read')).status, 401); // a header's key as a bearer token
    assert.equal((await withHeader({ 'x-api-key': key })).status, 401); // and the other way round
    assert.equal((await withHeader({ 'x-api-key': second, authorization: `Bearer ${key}` })).status, 400);
    assert.equal((await withHeader({ authorization: `DPoP ${key}` })).status, 401);
    assert.equal((await withHeader({ 'x-api-key': '' })).status, 401);
    assert.equal(seen.filter(({ body }) => body.includes('tools/call')).length, 0);
  });

  it('is refused from its day on, in a gateway that runs', async () => {
    assert.ok((await rpc(await callTool(test.url, key, 'read'))).result);
    now = Date.parse('2026-12-30T23:59:59.999Z');
    assert.ok((await rpc(await callTool(test.url, key, 'read'))).result);
    now = Date.parse('2026-12-31T00:00:00Z');
    assert.equal((await callTool(test.url, key, 'read')).status, 401);
  });

  it('counts against its limits, each key for itself', async () => {
    const statuses: number[] = [];
    for (let turn = 0; turn < 7; turn++)
      statuses.push((await callTool(test.url, key, 'read', { turn })).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429]);
    assert.equal((await withHeader({ 'x-api-key': second })).status, 200);
  });

  it('is warned of at the start', () => {
    const warnings = test.gateway.warnings.join('\n');
    assert.match(warnings, /static key batch opens it without OAuth until 2026-12-31/);
    assert.match(warnings, /static key former is refused since 2026-11-25/);
    for (const one of [key, second, old]) assert.ok(!warnings.includes(one));
  });
});
