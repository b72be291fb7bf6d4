import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  allScopes,
  callTool,
  modernCall,
  rpc,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { bytes, good, type HostileUpstream, result, startHostileUpstream, tool } from './hostile-upstream.ts';

// The upstream is compromised, or broken in a way that only an attacker would think of.

let upstream: HostileUpstream;
let test: TestGateway;
let token: string;

before(async () => {
  upstream = await startHostileUpstream();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}", timeout: 1s } }`,
    rest: 'limits: { concurrent: { client: 1, upstream: 1 } }',
  });
  token = await test.token(allScopes);
});

after(async () => {
  await test.close();
  await upstream.close();
});

/** Exactly one outcome came of the call, and its place is free again. */
async function oneRecord(response: Response, expected: [string, string]): Promise<void> {
  const id = response.headers.get('x-request-id');
  await until(async () => {
    const records = (await test.records()).filter(({ request_id }) => request_id === id);
    assert.deepEqual(
      records.map(({ result, reason }) => [result, reason]),
      [expected],
    );
  });
  await upstream.hangUp();
  upstream.answer(good);
  assert.equal((await callTool(test.url, token, 'echo')).status, 200, 'the place was not given back');
}

const ok = 'HTTP/1.1 200 OK';
const json = 'Content-Type: application/json';
const body = result(1);

interface Case {
  readonly answer: Parameters<HostileUpstream['answer']>[0];
  readonly status: number;
  readonly record: [string, string];
}

const invalid: [string, string] = ['error', 'upstream_invalid'];
const lost: [string, string] = ['error', 'upstream_unavailable'];
const cases: Record<string, Case> = {
  'a redirect': {
    answer: bytes(['HTTP/1.1 307 x', 'Location: http://127.0.0.1:1/', 'Content-Length: 0']),
    status: 502,
    record: invalid,
  },
  'a 401 of its own': {
    answer: bytes(['HTTP/1.1 401 x', 'WWW-Authenticate: Bearer realm="evil"', 'Content-Length: 0']),
    status: 502,
    record: invalid,
  },
  'a 407': {
    answer: bytes(['HTTP/1.1 407 x', 'Proxy-Authenticate: Basic', 'Content-Length: 0']),
    status: 502,
    record: invalid,
  },
  'a status that is none': {
    answer: bytes(['HTTP/1.1 999 x', 'Content-Length: 0']),
    status: 502,
    record: invalid,
  },
  'two content lengths': {
    answer: bytes([ok, json, 'Content-Length: 5', `Content-Length: ${body.length}`], body),
    status: 502,
    record: lost,
  },
  'length and chunks': {
    answer: bytes([ok, json, 'Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    status: 502,
    record: lost,
  },
  'a body compressed unasked': {
    answer: bytes(
      [ok, json, 'Content-Encoding: gzip', `Content-Length: ${gzipSync(body).length}`],
      gzipSync(body),
    ),
    status: 502,
    record: invalid,
  },
  'headers without end': {
    answer: bytes([ok, json, `X-Large: ${'x'.repeat(200_000)}`, 'Content-Length: 0']),
    status: 502,
    record: lost,
  },
  'no HTTP': { answer: bytes(['SSH-2.0-OpenSSH_9.9']), status: 502, record: lost },
  'a body that ends early': {
    answer: ({ socket }) => socket.end(`${ok}\r\n${json}\r\nContent-Length: 500\r\n\r\n${body}`),
    status: 502,
    record: lost,
  },
  'nothing, and hangs up': { answer: ({ socket }) => socket.destroy(), status: 502, record: lost },
  'nothing at all': { answer: () => {}, status: 504, record: ['timeout', 'upstream_timeout'] },
  'only interim answers': {
    answer: ({ socket }) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'), 100);
      socket.on('close', () => clearInterval(timer));
    },
    status: 504,
    record: ['timeout', 'upstream_timeout'],
  },
  'a head and never its body': {
    answer: bytes([ok, json, 'Content-Length: 500']),
    status: 504,
    record: ['timeout', 'upstream_timeout'],
  },
  'an empty 200': { answer: bytes([ok, json, 'Content-Length: 0']), status: 502, record: invalid },
  'a 204': { answer: bytes(['HTTP/1.1 204 x']), status: 502, record: invalid },
  'text that is no JSON': {
    answer: bytes([ok, json, 'Content-Length: 5'], 'hello'),
    status: 502,
    record: invalid,
  },
  'a batch': {
    answer: bytes([ok, json, `Content-Length: ${body.length + 2}`], `[${body}]`),
    status: 502,
    record: invalid,
  },
};

describe('an upstream that answers with', () => {
  for (const [what, { answer, status, record }] of Object.entries(cases)) {
    it(`${what}: ${status}, one record, no place lost`, async () => {
      upstream.answer(answer);
      const response = await callTool(test.url, token, 'echo');
      assert.equal(response.status, status);
      assert.equal(response.headers.get('www-authenticate'), null);
      assert.equal(response.headers.get('location'), null);
      const { error } = await rpc(response);
      assert.equal(error?.message, 'The MCP server behind the gateway does not answer');
      await oneRecord(response, record);
    });
  }

  it('an interim answer first is none', async () => {
    upstream.answer(
      bytes(['HTTP/1.1 103 Early Hints', 'Link: </x>', '', ok, json, `Content-Length: ${body.length}`], body),
    );
    const response = await callTool(test.url, token, 'echo');
    assert.equal(response.status, 200);
    assert.ok((await rpc(response)).result);
  });

  it('headers of its own: none reaches the client but what is allowed', async () => {
    upstream.answer(
      bytes(
        [
          ok,
          'Content-Type: text/html; charset=utf-16',
          'Set-Cookie: session=evil',
          'Access-Control-Allow-Origin: *',
          'Access-Control-Allow-Credentials: true',
          'WWW-Authenticate: Bearer resource_metadata="https://evil.example"',
          'Location: https://evil.example',
          'Link: <https://evil.example>; rel=preload',
          'Connection: x-hop',
          'X-Hop: 1',
          'X-Request-Id: forged',
          'Cache-Control: public, max-age=9999',
          'Strict-Transport-Security: max-age=0',
          'Alt-Svc: h2="evil.example:443"',
          'Clear-Site-Data: "*"',
          'Service-Worker-Allowed: /',
          'Refresh: 0; url=https://evil.example',
          'RateLimit: "client";r=0;t=86400',
          `Content-Length: ${body.length}`,
        ],
        body,
      ),
    );
    const response = await callTool(test.url, token, 'echo');
    assert.equal(response.status, 200);
    const names = [...response.headers.keys()].sort();
    assert.deepEqual(names, [
      'cache-control',
      'connection',
      'content-length',
      'content-type',
      'date',
      'keep-alive',
      'ratelimit',
      'ratelimit-policy',
      'x-content-type-options',
      'x-request-id',
    ]);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.doesNotMatch(response.headers.get('ratelimit') ?? '', /t=86400/, "the upstream's own");
    assert.notEqual(response.headers.get('x-request-id'), 'forged');
    assert.equal(
      response.headers.get('content-type'),
      'text/plain',
      'what is no MCP answer is no page either',
    );
    await response.text();
  });

  it('odd bytes in the headers that are allowed', async () => {
    for (const header of [
      'Retry-After: \xff\xfe',
      'Mcp-Protocol-Version: a\tb',
      'Mcp-Session-Id: \xe9\xe9',
      'Content-Type: \xe9/x',
    ]) {
      upstream.answer(bytes([ok, header, `Content-Length: ${body.length}`], body));
      const response = await callTool(test.url, token, 'echo');
      assert.equal(response.status, 200, header);
      for (const [name, value] of response.headers) assert.match(value, /^[\x20-\x7e]*$/, name);
      assert.ok((await rpc(response)).result);
    }
  });
});

describe('connections to an upstream', () => {
  it('carry no answer from one caller to another, whatever follows the first answer', async () => {
    const smuggled = `${ok}\r\n${json}\r\nContent-Length: 20\r\n\r\n{"smuggled":"answer"}`;
    for (let round = 0; round < 20; round++) {
      upstream.answer(bytes([ok, json, `Content-Length: ${body.length}`], `${body}${smuggled}`));
      const first = await callTool(test.url, token, 'echo');
      assert.doesNotMatch(await first.text(), /smuggled/);
      upstream.answer(good);
      const second = await callTool(test.url, token, 'echo');
      assert.doesNotMatch(await second.text(), /smuggled/);
    }
  });

  it('serve the next call after one that was answered before its body was read', async () => {
    const early = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        if (!text.includes('POST /mcp')) return;
        const isGateway = text.includes('"name":"portcullis"');
        const answer = isGateway ? result(1, { tools: [tool('echo')] }) : body;
        socket.write(`${ok}\r\n${json}\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
      });
    }).listen(0, '127.0.0.1');
    await once(early, 'listening');
    const { port } = early.address() as AddressInfo;
    const other = await startTestGateway({
      servers: `  early: { path: /mcp, upstream: { url: "http://127.0.0.1:${port}/mcp", timeout: 2s } }`,
    });
    try {
      const caller = await other.token(allScopes);
      for (const size of [3_000_000, 10, 3_000_000]) {
        const answer = await callTool(other.url, caller, 'echo', { text: 'x'.repeat(size) });
        assert.equal(answer.status, 200);
        assert.ok((await rpc(answer)).result);
      }
    } finally {
      await other.close();
      early.close();
    }
  });
});

describe('the client sees what became of the answer', () => {
  const cutAfter =
    (head: string[], part: string | Buffer) =>
    ({ socket }: { socket: import('node:net').Socket }) => {
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      socket.write(part);
      setTimeout(() => socket.destroy(), 100);
    };
  const started: Record<string, { head: string[]; part: string }> = {
    'a large JSON answer': { head: [ok, json, 'Content-Length: 5000000'], part: 'x'.repeat(2_000_000) },
    'a chunked JSON answer': {
      head: [ok, json, 'Transfer-Encoding: chunked'],
      part: `${(2_000_000).toString(16)}\r\n${'x'.repeat(2_000_000)}\r\n`,
    },
    'an event stream': {
      head: [ok, 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked'],
      part: `f\r\ndata: {"a":1}\n\n\r\n`,
    },
    'an event stream of known length': {
      head: [ok, 'Content-Type: text/event-stream', 'Content-Length: 99'],
      part: 'data: {"a":1}\n\n',
    },
  };
  for (const [what, { head, part }] of Object.entries(started)) {
    it(`${what} that breaks off is cut, not ended`, async () => {
      upstream.answer(cutAfter(head, part));
      const response = await callTool(test.url, token, 'echo');
      assert.equal(response.status, 200);
      await assert.rejects(response.text(), 'the client took a part for the whole');
      await oneRecord(response, lost);
    });
  }

  it('a stream that ends in order without a response is recorded as such', async () => {
    upstream.answer(({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n');
    });
    const response = await callTool(test.url, token, 'echo');
    await response.text();
    await oneRecord(response, invalid);
  });

  it('an error of the upstream keeps its status and body', async () => {
    for (const status of [400, 404, 429, 500, 503]) {
      upstream.answer(({ response }) => response.writeHead(status, { 'retry-after': '7' }).end('text'));
      const response = await modernCall(test.url, token, { method: 'ping' });
      assert.equal(response.status, status);
      assert.equal(response.headers.get('retry-after'), '7');
      assert.equal(await response.text(), 'text');
    }
  });
});
