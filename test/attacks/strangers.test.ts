import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { refuse, systemClock } from '../../src/base/index.ts';
import { createAuthenticator, type Verifier } from '../../src/identity/index.ts';
import {
  allScopes,
  callTool,
  rawRequest,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

// Nobody with a token: what may a stranger cost?

let upstream: FixtureServer;
let test: TestGateway;

before(async () => {
  upstream = await startFixtureServer();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: 'limits: { address: 100000/min, addressFailures: 100000/min }',
  });
});

after(async () => {
  await test.close();
  await upstream.close();
});

/** What is in use once nothing is left to collect. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

const post = (body: string, more: string[] = []) =>
  [
    'POST /mcp HTTP/1.1',
    `host: 127.0.0.1:${test.port}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...more,
    '',
    body,
  ].join('\r\n');

describe('a stranger', () => {
  it('is told so without the body being read, and the connection stays in step', async () => {
    const large = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'x'.repeat(1_000_000) },
    });
    const small = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'small' } });
    const answer = await rawRequest(test.port, post(large) + post(small, ['connection: close']));
    assert.equal(answer.match(/HTTP\/1\.1 401/g)?.length, 2, answer.slice(0, 500));
    const records = await test.records();
    assert.deepEqual(
      records.slice(-2).map(({ tool_name, reason }) => [tool_name, reason]),
      [
        [null, 'token_missing'],
        ['small', 'token_missing'],
      ],
    );
  });

  it('gets its answer while half of its large body is still to come', async () => {
    for (const bearer of [null, 'bad', await test.token(allScopes, { exp: 1 })]) {
      const socket = connect(test.port, '127.0.0.1');
      const auth = bearer === null ? '' : `authorization: Bearer ${bearer}\r\n`;
      socket.write(
        `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\n${auth}content-type: application/json\r\ncontent-length: 4000000\r\n\r\n{`,
      );
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      assert.match(chunk.toString(), /^HTTP\/1\.1 401/);
      socket.destroy();
    }
  });

  it('that sends a body without end loses the connection', async () => {
    const socket = connect(test.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const timer = setInterval(() => socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`), 5);
    const closed = new Promise((resolve) => socket.on('close', () => resolve(true)));
    const inTime = await Promise.race([
      closed,
      new Promise((resolve) => setTimeout(() => resolve(false), 4000).unref()),
    ]);
    clearInterval(timer);
    socket.destroy();
    assert.equal(inTime, true);
  });

  it('costs no memory with bodies that stop half-way', async () => {
    const sockets: Socket[] = [];
    const part = Buffer.alloc(200_000, ' ');
    const start = process.memoryUsage().rss;
    for (let i = 0; i < 300; i++) {
      const socket = connect(test.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n`,
      );
      socket.write(part);
      sockets.push(socket);
    }
    await until(async () => assert.ok((await fetch(`${test.origin}/healthz`)).ok));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const grown = process.memoryUsage().rss - start;
    for (const socket of sockets) socket.destroy();
    assert.ok(grown < 120_000_000, `${Math.round(grown / 1e6)} MB`);
  });

  it('cannot keep the issuer busy with key ids that nobody knows', async () => {
    await callTool(test.url, await test.token(allScopes), 'echo', { text: 'x' });
    const asked = test.issuer.requests.length;
    const tokens = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        test.issuer.sign({ aud: test.url, jti: `${i}` }, { kid: `forged-${i}` }),
      ),
    );
    const answers = await Promise.all(tokens.map((token) => callTool(test.url, token, 'echo', {})));
    assert.ok(answers.every(({ status }) => status === 401));
    assert.ok(
      test.issuer.requests.length - asked <= 2,
      `${test.issuer.requests.length - asked} requests to the issuer`,
    );
  });

  it('cannot fill the memory with bad tokens, each of them different', async () => {
    const known: string[] = [];
    const verifier: Verifier = {
      issuer: 'https://issuer.example',
      verify: async (token) => {
        known.push(token.slice(-8));
        return refuse('token_signature', 'no');
      },
      isRevoked: () => false,
    };
    const authenticator = createAuthenticator([verifier], systemClock);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = part({ alg: 'ES256' });
    const bad = (i: number) => `${head}.${part({ iss: verifier.issuer, n: i, pad: 'x'.repeat(100) })}.c2ln`;
    for (let i = 0; i < 20_000; i++) await authenticator.authenticate(bad(i));
    const start = heapUsed();
    for (let i = 20_000; i < 100_000; i++) await authenticator.authenticate(bad(i));
    const grown = heapUsed() - start;
    assert.ok(grown < 10_000_000, `${grown} bytes for eighty thousand more`);
    const verified = known.length;
    for (let i = 0; i < 100; i++) await authenticator.authenticate(bad(99_999));
    assert.equal(known.length, verified, 'a bad token was verified again at once');
  });

  it('with deep nesting, many keys or long numbers is refused in time', async () => {
    const token = await test.token(allScopes);
    const bodies = [
      '['.repeat(2_000_000) + ']'.repeat(2_000_000),
      `{${Array.from({ length: 300_000 }, (_, i) => `"k${i}":1`).join(',')}}`,
      `{"n":${'9'.repeat(3_900_000)}}`,
      `{"s":"${'\\u0061'.repeat(650_000)}"}`,
      `["a"${' '.repeat(3_900_000)}]`,
    ];
    for (const body of bodies) {
      const from = performance.now();
      const answer = await fetch(test.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body,
      });
      assert.equal(answer.status, 400);
      assert.ok(performance.now() - from < 3000, `${body.slice(0, 20)}: ${performance.now() - from} ms`);
    }
  });
});

describe('unusual HTTP', () => {
  const token = () => test.token(allScopes);
  it('Upgrade, CONNECT and Expect change nothing', async () => {
    for (const request of [
      post('{}', ['upgrade: websocket', 'connection: upgrade, close']),
      post('{}', ['upgrade: h2c', 'connection: upgrade, http2-settings, close', 'http2-settings: x']),
      post('{}', ['expect: 100-continue', 'connection: close']),
      `CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\n\r\n`,
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\nexpect: magic\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ]) {
      const answer = await rawRequest(test.port, request);
      assert.match(answer, /^(HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?4\d\d |$)/, request.slice(0, 60));
    }
    assert.equal((await callTool(test.url, await token(), 'echo', { text: 'x' })).status, 200);
  });

  it('two thousand headers hide none that decides', async () => {
    const bearer = await token();
    const noise = Array.from({ length: 1990 }, (_, i) => `a${i % 10}:`);
    const answer = await rawRequest(
      test.port,
      post('{}', [
        ...noise,
        `authorization: Bearer ${bearer}`,
        'authorization: Bearer other',
        'connection: close',
      ]),
    );
    assert.match(answer, /^HTTP\/1\.1 4/);
  });
});
