import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { allScopes, callTool, modernCall, rpc, startTestGateway, type TestGateway } from './support.ts';

let upstream: FixtureServer;
let test: TestGateway;

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: [
      'tools:',
      '  - { match: "delete_*", scope: mcp:tools:admin, limit: 3/min }',
      '  - { match: "echo_headers", scope: mcp:tools:read, confirm: self }',
      '  - { match: "query_region", scope: mcp:tools:admin, show: hidden }',
      '  - { match: "slow_*", show: hidden }',
      '  - { match: "*_note*", hint: readOnly, scope: mcp:tools:read }',
      '  - { match: "*_note*", scope: mcp:tools:write }',
      '  - { match: "echo", scope: mcp:tools:read }',
    ].join('\n'),
  });
});

after(async () => {
  await test.close();
  await upstream.close();
});

describe('discovery', () => {
  it('serves the same document at both well-known URLs', async () => {
    const paths = ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'];
    const documents = await Promise.all(
      paths.map(async (path) => {
        const response = await fetch(test.origin + path);
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
        assert.equal(response.headers.get('access-control-allow-origin'), '*');
        return response.text();
      }),
    );
    assert.equal(documents[0], documents[1]);
    const document = JSON.parse(documents[0] ?? '');
    assert.equal(document.resource, test.url);
    assert.deepEqual(document.authorization_servers, [test.issuer.issuer]);
    assert.ok(!document.scopes_supported.includes('offline_access'));
    assert.ok(!document.scopes_supported.includes('mcp:tools:write'), 'the baseline reads only');
  });

  it('challenges every request without a token, whatever it asks', async () => {
    const answers = await Promise.all([
      callTool(test.url, null, 'echo', { text: 'x' }),
      modernCall(test.url, null, { method: 'server/discover' }),
      modernCall(test.url, null, { method: 'tools/list' }),
      modernCall(test.url, null, { method: 'no/such' }),
      fetch(test.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }),
      fetch(test.url, { method: 'POST', body: 'x' }),
      fetch(test.url, { headers: { accept: 'text/event-stream' } }),
      fetch(test.url, { method: 'DELETE' }),
      fetch(test.url, { method: 'PUT', body: '{}' }),
    ]);
    for (const answer of answers) {
      assert.equal(answer.status, 401);
      const challenge = answer.headers.get('www-authenticate') ?? '';
      assert.match(challenge, /^Bearer /);
      assert.ok(
        challenge.includes(`resource_metadata="${test.origin}/.well-known/oauth-protected-resource/mcp"`),
      );
      assert.match(challenge, /scope="mcp:tools:read[ "]/);
      assert.doesNotMatch(challenge, /error=/);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.ok(answer.headers.get('x-request-id'));
    }
  });

  it('says invalid_token for a bad one, and no more than that', async () => {
    const expired = await test.token(allScopes, { exp: Math.floor(Date.now() / 1000) - 120 });
    const foreign = await test.token(allScopes, { aud: 'https://other.example/mcp' });
    const bodies = [];
    for (const token of [expired, foreign, 'garbage', 'a.b.c']) {
      const answer = await callTool(test.url, token, 'echo', { text: 'x' });
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
      bodies.push((await rpc(answer)).error?.data);
    }
    assert.equal(
      new Set(bodies.map((data) => JSON.stringify(data))).size,
      1,
      'the answers tell the reasons apart',
    );
  });

  it('never takes its URLs from the request', async () => {
    const answer = await fetch(test.url, {
      method: 'POST',
      headers: {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
      },
    });
    assert.doesNotMatch(answer.headers.get('www-authenticate') ?? '', /evil/);
  });
});

describe('scopes', () => {
  it('let a reader read and send it to step up for more, naming all that is worth holding', async () => {
    const reader = await test.token('mcp:tools:read attacker-scope');
    assert.equal((await callTool(test.url, reader, 'read_notes')).status, 200);
    const seen = upstream.requests.length;
    const refused = await callTool(test.url, reader, 'write_note', { name: 'a', body: 'b' });
    assert.equal(refused.status, 403);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    assert.match(challenge, /error="insufficient_scope"/);
    assert.match(challenge, /scope="mcp:tools:read mcp:tools:write"/);
    assert.match(challenge, /resource_metadata="/);
    assert.doesNotMatch(challenge, /attacker/);
    assert.equal(upstream.requests.length, seen, 'the call reached the upstream');
  });

  it('honour the hierarchy', async () => {
    const admin = await test.token('mcp:tools:admin');
    assert.equal((await callTool(test.url, admin, 'read_notes')).status, 200);
    assert.equal((await callTool(test.url, admin, 'write_note', { name: 'a', body: 'b' })).status, 200);
  });

  it('guard resources and prompts too', async () => {
    const reader = await test.token('mcp:tools:read');
    for (const method of ['resources/list', 'resources/templates/list']) {
      assert.equal((await modernCall(test.url, reader, { method })).status, 403, method);
    }
    const read = await modernCall(test.url, reader, {
      method: 'resources/read',
      params: { uri: 'test://x' },
    });
    assert.equal(read.status, 403);
    const nobody = await test.token('');
    for (const method of ['tools/list', 'prompts/list', 'resources/list']) {
      assert.equal((await modernCall(test.url, nobody, { method })).status, 403, method);
    }
  });

  it('refuse methods that nobody knows', async () => {
    const answer = await modernCall(test.url, await test.token(allScopes), { method: 'admin/reset' });
    assert.equal(answer.status, 404);
    assert.equal((await rpc(answer)).error?.code, -32601);
  });
});

describe('tools', () => {
  it('that are hidden, not decided on, or not there answer alike', async () => {
    const token = await test.token('mcp:tools:write mcp:resources:read');
    const answers = [];
    for (const name of ['query_region', 'slow_report', 'test_simple_text', 'no_such_tool', '__proto__', '']) {
      const answer = await callTool(test.url, token, name, { region: 'eu', query: 'x' });
      answers.push(JSON.stringify([answer.status, (await rpc(answer)).error]));
    }
    // An empty name cannot be mirrored; all others must not be told apart.
    assert.equal(new Set(answers.slice(0, -1)).size, 1, answers.join('\n'));
  });

  it('are listed as they may be called, in order, and privately', async () => {
    const answer = await rpc(
      await modernCall(test.url, await test.token('mcp:tools:read'), { method: 'tools/list' }),
    );
    const names = ((answer.result?.['tools'] ?? []) as { name: string }[]).map((tool) => tool.name);
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.includes('read_notes') && names.includes('write_note'));
    for (const hidden of ['query_region', 'slow_report', 'test_simple_text'])
      assert.ok(!names.includes(hidden), hidden);
    assert.equal(answer.result?.['cacheScope'], 'private');
  });

  it('that need confirmation are refused while nobody can be asked', async () => {
    const seen = upstream.requests.length;
    const answer = await callTool(test.url, await test.token(allScopes), 'echo_headers');
    const { result } = await rpc(answer);
    assert.equal(result?.['isError'], true);
    assert.equal(upstream.requests.length, seen);
    const record = (await test.records()).at(-1);
    assert.deepEqual([record?.result, record?.reason], ['denied_approval', 'confirmation_unavailable']);
    assert.match(test.gateway.warnings.join(), /tools\[1\]/);
  });
});

describe('limits', () => {
  it('refuse per tool with a truthful wait, and count on over new tokens and clients', async () => {
    const sub = `limited-${Date.now()}`;
    const call = async (claims: object = {}) =>
      callTool(test.url, await test.token(allScopes, { sub, ...claims }), 'delete_note', { name: 'x' });
    for (let i = 0; i < 3; i++) assert.equal((await call()).status, 200);
    for (const claims of [{}, { client_id: 'another-registration' }]) {
      const refused = await call(claims);
      assert.equal(refused.status, 429);
      const { error } = await rpc(refused);
      assert.equal(error?.data?.['layer'], 'tool');
      const waitMs = error?.data?.['retryAfterMs'];
      assert.ok(typeof waitMs === 'number' && waitMs > 0 && waitMs <= 20_000);
      assert.equal(refused.headers.get('retry-after'), String(Math.ceil(waitMs / 1000)));
    }
    const other = await callTool(test.url, await test.token(allScopes, { sub: `${sub}-2` }), 'delete_note', {
      name: 'x',
    });
    assert.equal(other.status, 200, 'another caller is not limited');
    const record = (await test.records()).filter((entry) => entry.subject === sub).at(-1);
    assert.deepEqual([record?.result, record?.reason], ['denied_rate', 'limit_tool']);
  });
});

describe('the audit log', () => {
  it('has the nine fields for a call, and one record for each request', async () => {
    const sub = `audited-${Date.now()}`;
    const token = await test.token('mcp:tools:read', { sub, jti: 'the-token-id' });
    const good = await callTool(test.url, token, 'echo', { text: 'canary-argument' });
    assert.equal(good.status, 200);
    await callTool(test.url, token, 'write_note', { name: 'a', body: 'b' });
    const records = (await test.records()).filter((entry) => entry.subject === sub);
    assert.equal(records.length, 2);
    const [first, second] = records;
    assert.ok(first && second);
    assert.match(first.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(first.request_id, good.headers.get('x-request-id'));
    assert.equal(upstream.requests.at(-1)?.headers['x-request-id'], first.request_id, 'the id goes upstream');
    assert.equal(first.client_id, 'client');
    assert.equal(first.tool_name, 'echo');
    assert.match(first.arguments_hash ?? '', /^hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}$/);
    assert.deepEqual(first.scopes, ['mcp:tools:read']);
    assert.equal(first.result, 'success');
    assert.ok((first.latency_ms ?? -1) >= 0);
    assert.equal(first.token_id, 'the-token-id');
    assert.deepEqual(
      [second.result, second.reason, second.http_status],
      ['denied_scope', 'scope_missing', 403],
    );
  });

  it('records who is refused before being known, and what was no message', async () => {
    const before = (await test.records()).length;
    await callTool(test.url, null, 'echo', {});
    await fetch(test.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${await test.token(allScopes)}`, 'content-type': 'application/json' },
      body: '[]',
    });
    const records = (await test.records()).slice(before);
    assert.deepEqual(
      records.map(({ result, reason, tool_name, subject }) => [result, reason, tool_name, subject]),
      [
        ['denied_auth', 'token_missing', 'echo', null],
        ['malformed', 'malformed_message', null, 'alice'],
      ],
    );
  });
});

describe('the upstream', () => {
  it('never sees the token, a cookie, or a header that nobody allowed', async () => {
    const token = await test.token(allScopes);
    await modernCall(test.url, token, {
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'x' } },
      headers: {
        cookie: 'a=b',
        'x-api-key': 'k',
        'x-forwarded-for': '1.2.3.4',
        traceparent: '00-1-2-01',
        tracestate: 'a=1',
        baggage: 'role=admin',
      },
    });
    const headers = upstream.requests.at(-1)?.headers ?? {};
    assert.ok(!JSON.stringify(headers).includes(token));
    const kept = ['authorization', 'cookie', 'x-api-key', 'x-forwarded-for', 'origin'];
    for (const name of [...kept, 'traceparent', 'tracestate', 'baggage']) {
      assert.equal(headers[name], undefined, name);
    }
  });

  it('sees trace context that is well formed', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await modernCall(test.url, await test.token(allScopes), {
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'x' } },
      headers: { traceparent, tracestate: 'a=1,b=2' },
    });
    const headers = upstream.requests.at(-1)?.headers ?? {};
    assert.deepEqual([headers['traceparent'], headers['tracestate']], [traceparent, 'a=1,b=2']);
  });
});
