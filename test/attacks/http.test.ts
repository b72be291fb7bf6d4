import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  allScopes,
  callTool,
  modernCall,
  modernVersion,
  rawRequest,
  rpc,
  startTestGateway,
  type TestGateway,
} from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

let upstream: FixtureServer;
let test: TestGateway;
let token: string;

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: 'http: { maxBodyBytes: 65536 }',
  });
  token = await test.token(allScopes);
});

after(async () => {
  await test.close();
  await upstream.close();
});

const meta = {
  'io.modelcontextprotocol/protocolVersion': modernVersion,
  'io.modelcontextprotocol/clientCapabilities': {},
};

interface Raw {
  readonly requestLine?: string;
  /** Replaces the header of that name; an array sends it several times; null leaves it out. */
  readonly headers?: Record<string, string | string[] | null>;
  readonly body?: string | Buffer;
}

/** A good modern tools/call, but for what the attack changes, as bytes. */
function bytes(attack: Raw): Buffer {
  const body = Buffer.from(
    attack.body ??
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'x' }, _meta: meta },
      }),
  );
  const headers: Record<string, string | string[] | null> = {
    host: `127.0.0.1:${test.port}`,
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': modernVersion,
    'mcp-method': 'tools/call',
    'mcp-name': 'echo',
    'content-length': String(body.length),
    connection: 'close',
    ...attack.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return Buffer.concat([
    Buffer.from(`${attack.requestLine ?? 'POST /mcp HTTP/1.1'}\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    body,
  ]);
}

async function send(attack: Raw): Promise<{ status: number; text: string }> {
  const text = await rawRequest(test.port, bytes(attack));
  return { status: Number(text.slice(9, 12)), text };
}

/** Refused with a 4xx, without reaching the upstream, in a shape that says nothing of the inside. */
async function refused(attack: Raw, status?: number): Promise<string> {
  const seen = upstream.requests.length;
  const answer = await send(attack);
  if (status === undefined) assert.ok(answer.status >= 400 && answer.status < 500, answer.text.slice(0, 300));
  else assert.equal(answer.status, status, answer.text.slice(0, 300));
  assert.equal(upstream.requests.length, seen, 'the attack reached the upstream');
  assert.doesNotMatch(answer.text, /at .*\(.*:\d+:\d+\)|node_modules|\/src\//);
  assert.ok(!answer.text.includes(token), 'the answer repeats the token');
  return answer.text;
}

describe('requests that could be read two ways', () => {
  it('are only refused for what the attack changes', async () => {
    assert.equal((await send({})).status, 200);
  });

  const auth = () => `Bearer ${token}`;
  const twice: Record<string, () => Raw> = {
    'two Authorization headers': () => ({ headers: { authorization: [auth(), 'Bearer other'] } }),
    'the same Authorization twice': () => ({ headers: { authorization: [auth(), auth()] } }),
    'two tokens in one header': () => ({ headers: { authorization: `${auth()}, ${auth()}` } }),
    'two Hosts': () => ({ headers: { host: [`127.0.0.1:${test.port}`, 'evil.example'] } }),
    'two Content-Lengths': () => ({ headers: { 'content-length': ['10', '200'] } }),
    'the same Content-Length twice': () => ({ headers: { 'content-length': ['10', '10'] } }),
    'Content-Length and Transfer-Encoding': () => ({ headers: { 'transfer-encoding': 'chunked' } }),
    'two Content-Types': () => ({ headers: { 'content-type': ['application/json', 'text/plain'] } }),
    'two versions': () => ({ headers: { 'mcp-protocol-version': [modernVersion, '2025-11-25'] } }),
    'two Mcp-Methods': () => ({ headers: { 'mcp-method': ['tools/call', 'tools/list'] } }),
    'two Mcp-Names': () => ({ headers: { 'mcp-name': ['echo', 'read_notes'] } }),
    'two sessions': () => ({ headers: { 'mcp-session-id': ['a', 'b'] } }),
    'two Origins': () => ({ headers: { origin: [test.origin, 'https://evil.example'] } }),
    'an obsolete folded header': () => ({ headers: { 'x-a': 'b\r\n continued' } }),
    'a space before the colon': () => ({ headers: { 'x-a ': 'b' } }),
    'a bare line feed': () => ({ headers: { 'x-a': 'b\nauthorization: Bearer other' } }),
    'a NUL in a header': () => ({ headers: { 'x-a': 'a\0b' } }),
    'no Host': () => ({ headers: { host: null } }),
    'a transfer coding beside chunked': () => coded('gzip, chunked'),
    'chunked in HTTP/1.0': () => coded('chunked', '1.0'),
    'another HTTP version': () => ({ requestLine: 'POST /mcp HTTP/2.0' }),
    'no HTTP version': () => ({ requestLine: 'POST /mcp' }),
    'half a quoted charset': () => ({ headers: { 'content-type': 'application/json; charset="utf-8' } }),
  };
  const coded = (coding: string, version = '1.1'): Raw => {
    const body = String(bytes({}).toString().split('\r\n\r\n')[1]);
    return {
      requestLine: `POST /mcp HTTP/${version}`,
      headers: { 'content-length': null, 'transfer-encoding': coding },
      body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    };
  };
  it('chunked alone is good', async () => {
    assert.equal((await send(coded('Chunked'))).status, 200);
  });
  for (const [what, attack] of Object.entries(twice)) {
    it(what, async () => {
      await refused(attack());
    });
  }
});

describe('bodies that could be read two ways', () => {
  const params = `{"name":"echo","arguments":{"text":"x"},"_meta":${JSON.stringify(meta)}}`;
  const bodies: Record<string, string | Buffer> = {
    'a repeated method': `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":${params}}`,
    'a repeated name': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"delete_note","_meta":${JSON.stringify(meta)}}}`,
    'a repeated name, escaped': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\\u0061me":"delete_note"}}`,
    'a repeated argument': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a","text":"b"}}}`,
    'a name in another case': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"delete_note"}}`,
    'a method in another case': `{"jsonrpc":"2.0","id":1,"method":"tools/call","METHOD":"tools/list","params":${params}}`,
    'a batch': `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}]`,
    'an empty batch': '[]',
    'a byte order mark': `\ufeff{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`,
    'UTF-16': Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`, 'utf16le'),
    'a second value behind it': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}{}`,
    'a huge integer':
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":12345678901234567890}}}',
    'a string': '"tools/call"',
    null: 'null',
    nothing: '',
    'half a message': '{"jsonrpc":"2.0","id":1,"method":"tools/call"',
    nesting: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
    'a null id': `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":${params}}`,
    'an object id': `{"jsonrpc":"2.0","id":{},"method":"tools/call","params":${params}}`,
    'an answer that nobody waits for': '{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}',
    'an error that nobody waits for': '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
    'another protocol': `{"jsonrpc":"1.0","id":1,"method":"tools/call","params":${params}}`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    it(what, async () => {
      await refused({ body }, 400);
    });
  }

  it('a body larger than the bound, declared or not', async () => {
    const large = `{"a":"${'x'.repeat(70_000)}"}`;
    await refused({ body: large }, 413);
    const chunked = await rawRequest(
      test.port,
      Buffer.concat([
        bytes({ headers: { 'content-length': null, 'transfer-encoding': 'chunked' }, body: '' }),
        Buffer.from(`${(70_000).toString(16)}\r\n${'x'.repeat(70_000)}\r\n0\r\n\r\n`),
      ]),
    );
    assert.match(chunked, /^HTTP\/1\.1 413 /);
  });

  it('media types and encodings', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/json; charset=utf-16',
      'application/json, text/plain',
      '',
    ]) {
      await refused({ headers: { 'content-type': type } }, 415);
    }
    await refused({ headers: { 'content-type': null } }, 415);
    await refused({ headers: { 'content-encoding': 'gzip' } }, 415);
  });
});

describe('headers that disagree with the body', () => {
  const headers: Record<string, Record<string, string | null>> = {
    'another method': { 'mcp-method': 'tools/list' },
    'another tool': { 'mcp-name': 'read_notes' },
    'another tool in Base64': { 'mcp-name': `=?base64?${Buffer.from('read_notes').toString('base64')}?=` },
    'the tool in upper case': { 'mcp-name': 'ECHO' },
    'no method': { 'mcp-method': null },
    'no name': { 'mcp-name': null },
    'no version': { 'mcp-protocol-version': null },
  };
  for (const [what, changed] of Object.entries(headers)) {
    it(`${what}: 400 and -32020`, async () => {
      const text = await refused({ headers: changed }, 400);
      assert.match(text, /"code":-32020/);
    });
  }

  it('another legacy version in the header than in the body is legacy, and its method header must be true', async () => {
    const text = await refused(
      { headers: { 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'tools/list' } },
      400,
    );
    assert.match(text, /-32020/);
  });

  it('an unknown version names the supported ones', async () => {
    const text = await refused({ headers: { 'mcp-protocol-version': '1999-01-01' } }, 400);
    assert.match(text, /"code":-32022.*"supported":\["2026-07-28"/);
  });
});

describe('headers that have no body to be compared with', () => {
  it('do not travel on', async () => {
    const headers = {
      'mcp-protocol-version': '2025-11-25',
      'mcp-method': 'tools/call',
      'mcp-name': 'delete_note',
    };
    const answer = '{"jsonrpc":"2.0","id":1,"result":{}}';
    for (const attack of [
      { requestLine: 'GET /mcp HTTP/1.1', headers, body: '' },
      { requestLine: 'DELETE /mcp HTTP/1.1', headers, body: '' },
      { headers, body: answer },
    ]) {
      const before = upstream.requests.length;
      await send(attack);
      const seen = upstream.requests.slice(before);
      assert.equal(seen.length, 1, 'it reached the upstream');
      for (const name of ['mcp-method', 'mcp-name']) assert.equal(seen[0]?.headers[name], undefined);
    }
  });
});

describe('where a request says it comes from and goes to', () => {
  it('another Host or Origin', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${test.port}`,
      '127.0.0.1',
      `127.0.0.1:${test.port}.evil.example`,
      '',
    ]) {
      await refused({ headers: { host } });
    }
    for (const origin of [
      'https://evil.example',
      'null',
      `http://evil.example:${test.port}`,
      `${test.origin}.evil.example`,
      'file://',
      '',
    ]) {
      await refused({ headers: { origin } }, 403);
    }
    assert.equal((await send({ headers: { origin: test.origin } })).status, 200);
  });

  it('paths that are almost ours are nothing', async () => {
    for (const path of [
      '/mcp/',
      '//mcp',
      '/MCP',
      '/%6dcp',
      '/mcp%00',
      '/./mcp',
      '/x/../mcp',
      '/mcp;a',
      '/sse',
      '/message',
      '/metrics',
      '/admin',
      '/config',
      '/debug',
      '/.env',
      '/openapi.json',
      '/docs',
      '/',
    ]) {
      await refused({ requestLine: `POST ${path} HTTP/1.1` }, 404);
    }
    await refused({ requestLine: `POST http://127.0.0.1:${test.port}/mcp HTTP/1.1` });
    await refused({ requestLine: 'POST * HTTP/1.1' });
  });

  it('tokens in the URL', async () => {
    const bare = { authorization: null };
    await refused({ requestLine: `POST /mcp?access_token=${token} HTTP/1.1`, headers: bare }, 401);
    await refused({ requestLine: `POST /mcp?access_token=${token} HTTP/1.1` }, 401);
  });

  it('tokens that are not good: the answer is the same, whichever check failed', async () => {
    const now = Math.floor(Date.now() / 1000);
    const [head, body] = token.split('.');
    const bad = {
      signature: `${head}.${body}.${'A'.repeat(86)}`,
      expired: await test.token(allScopes, { exp: now - 600 }),
      early: await test.token(allScopes, { nbf: now + 600 }),
      audience: await test.token(allScopes, { aud: 'https://other.example/mcp' }),
      issuer: await test.token(allScopes, { iss: 'https://other.example' }),
      claims: await test.token(allScopes, { sub: 7 }),
      bound: await test.token(allScopes, { cnf: { jkt: 'A'.repeat(43) } }),
      spelling: `${token}=`,
    };
    const answers = new Set<string>();
    for (const one of Object.values(bad)) {
      const text = await refused({ headers: { authorization: `Bearer ${one}` } }, 401);
      answers.add(text.replace(/^(x-request-id|date): .*\r\n/gim, ''));
    }
    assert.equal(answers.size, 1, [...answers].join('\n'));
    const reasons = (await test.records()).slice(-8).map(({ reason }) => reason);
    assert.equal(new Set(reasons).size, 8, `the record tells them apart: ${reasons}`);
  });

  it('other HTTP methods', async () => {
    for (const method of ['PUT', 'PATCH', 'HEAD', 'TRACE', 'PROPFIND', 'OPTIONS']) {
      await refused({ requestLine: `${method} /mcp HTTP/1.1`, body: '' }, 405);
    }
  });

  it('what is no HTTP', async () => {
    for (const noise of [
      '\r\n\r\n',
      'GET\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01',
      'x'.repeat(200_000),
      'GET / HTTP/9.9\r\n\r\n',
    ]) {
      const answer = await rawRequest(test.port, `${noise}\r\n\r\n`);
      assert.match(answer, /^(HTTP\/1\.1 4\d\d |$)/);
    }
    await refused({ headers: { 'x-large': 'x'.repeat(20_000) } }, 431);
  });

  it('bypass headers change nothing', async () => {
    const names = [
      'x-original-url',
      'x-rewrite-url',
      'x-http-method-override',
      'x-forwarded-user',
      'x-user',
      'x-internal',
      'x-portcullis-bypass',
      'x-mcp-admin',
    ];
    const answer = await fetch(test.url, {
      method: 'POST',
      headers: Object.fromEntries(names.map((name) => [name, '/healthz'])),
    });
    assert.equal(answer.status, 401);
  });
});

describe('after all that', () => {
  it('the gateway still serves, and every refusal has a record', async () => {
    const own = await test.token(allScopes, { sub: 'after-all-that' });
    assert.equal((await callTool(test.url, own, 'echo', { text: 'still here' })).status, 200);
    await refused({ body: '[]', headers: { authorization: `Bearer ${own}` } });
    const records = (await test.records()).filter(({ subject }) => subject === 'after-all-that');
    assert.deepEqual(
      records.map((entry) => entry.reason),
      ['ok', 'malformed_message'],
    );
    assert.ok(!JSON.stringify(await test.records()).includes(token));
  });

  it('_meta is no identity', async () => {
    const answer = await modernCall(test.url, token, {
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'x' } },
      headers: { 'x-forwarded-for': '6.6.6.6' },
    });
    assert.ok((await rpc(answer)).result);
    assert.equal((await test.records()).at(-1)?.address, '127.0.0.1');
  });
});
