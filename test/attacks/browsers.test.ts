import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allScopes, callTool, rawRequest, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

// A page in the user's browser: DNS rebinding, foreign origins, preflights.

let upstream: FixtureServer;
let test: TestGateway;
let token: string;
const app = 'https://app.example';

before(async () => {
  upstream = await startFixtureServer();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: `http: { allowedOrigins: ["${app}"] }`,
  });
  token = await test.token(allScopes);
});

after(async () => {
  await test.close();
  await upstream.close();
});

const ask = (method: string, path: string, headers: Record<string, string>) =>
  rawRequest(
    test.port,
    `${method} ${path} HTTP/1.1\r\n${Object.entries({
      host: `127.0.0.1:${test.port}`,
      connection: 'close',
      ...headers,
    })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}content-length: 0\r\n\r\n`,
  );
const preflight = (origin: string, path = '/mcp') =>
  ask('OPTIONS', path, {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers':
      'authorization,content-type,mcp-protocol-version,mcp-method,mcp-param-region,x-evil',
  });

describe('a preflight', () => {
  it('of an allowed page is granted, for what MCP needs and nothing else', async () => {
    for (const origin of [app, test.origin, 'http://localhost:6274']) {
      const answer = await preflight(origin);
      assert.match(answer, /^HTTP\/1\.1 204 /);
      assert.match(answer, new RegExp(`access-control-allow-origin: ${origin}\r\n`));
      const allowed = /access-control-allow-headers: (.*)\r\n/.exec(answer)?.[1]?.split(', ') ?? [];
      for (const name of [
        'authorization',
        'content-type',
        'mcp-protocol-version',
        'mcp-method',
        'mcp-param-region',
      ])
        assert.ok(allowed.includes(name), name);
      assert.ok(!allowed.includes('x-evil'));
      assert.doesNotMatch(answer, /allow-credentials|origin: \*/i);
      assert.match(answer, /vary: Origin/i);
    }
  });

  it('of any other page is not', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `${app}.evil.example`,
      'http://app.example',
      `${app}:444`,
      'https://APP.example',
      `${app}/`,
    ]) {
      const answer = await preflight(origin);
      assert.match(answer, /^HTTP\/1\.1 403 /, origin);
      assert.doesNotMatch(answer, /access-control-/i);
    }
  });
});

describe('an answer', () => {
  it('lets an allowed page read the challenge, also when it refuses', async () => {
    const good = await fetch(test.url, { method: 'POST', headers: { origin: app } });
    assert.equal(good.status, 401);
    assert.equal(good.headers.get('access-control-allow-origin'), app);
    assert.match(good.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/);
    assert.match(good.headers.get('access-control-expose-headers') ?? '', /Mcp-Session-Id/);
    assert.equal(good.headers.get('access-control-allow-credentials'), null);
  });

  it('gives a foreign page nothing, and its call does not leave, whatever token it has', async () => {
    const seen = upstream.requests.length;
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await fetch(test.url, {
        method: 'POST',
        headers: { origin, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
      });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
    }
    assert.equal(upstream.requests.length, seen);
    assert.equal((await callTool(test.url, token, 'echo', { text: 'x' })).status, 200);
  });
});

describe('a rebound name', () => {
  it('reaches nothing but health, whatever the path', async () => {
    const host = `rebound.example:${test.port}`;
    for (const path of [
      '/mcp',
      '/.well-known/oauth-protected-resource',
      '/.well-known/oauth-protected-resource/mcp',
      '/',
      '/oauth/token',
    ]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const answer = await ask(method, path, {
          host,
          origin: `http://${host}`,
          authorization: `Bearer ${token}`,
        });
        assert.match(answer, /^HTTP\/1\.1 403 /, `${method} ${path}`);
        assert.doesNotMatch(answer, /access-control-|resource_metadata/i);
      }
    }
  });

  it('is in the records of the endpoint', async () => {
    await ask('POST', '/mcp', { host: 'rebound.example' });
    const record = (await test.records()).at(-1);
    assert.deepEqual(
      [record?.result, record?.reason, record?.http_status],
      ['denied_auth', 'host_denied', 403],
    );
  });
});
