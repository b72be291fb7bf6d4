import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { NodeReply } from '../../src/gateway/node-http.ts';
import {
  allScopes,
  callTool,
  modernVersion,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { good, type HostileUpstream, result, startHostileUpstream } from './hostile-upstream.ts';

// Clients that go at the worst moment, or stay and take nothing.

let upstream: HostileUpstream;
let test: TestGateway;
let token: string;

before(async () => {
  upstream = await startHostileUpstream();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: 'limits: { concurrent: { client: 1, upstream: 1 } }',
  });
  token = await test.token(allScopes);
});

after(async () => {
  await test.close();
  await upstream.close();
});

function head(length: number, more: string[] = []): string {
  return [
    'POST /mcp HTTP/1.1',
    `host: 127.0.0.1:${test.port}`,
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    `mcp-protocol-version: ${modernVersion}`,
    'mcp-method: tools/call',
    'mcp-name: echo',
    `content-length: ${length}`,
    ...more,
    '\r\n',
  ].join('\r\n');
}

const call = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: {},
    _meta: {
      'io.modelcontextprotocol/protocolVersion': modernVersion,
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
});

async function client(): Promise<Socket> {
  const socket = connect(test.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** One outcome for what happened since, the only place is free, nothing is left upstream. */
async function nothingIsLeft(before: number, reasons: string[]): Promise<void> {
  await until(async () => {
    const records = (await ofAlice()).slice(before);
    assert.deepEqual(
      records.map(({ reason }) => reason),
      reasons,
    );
  });
  const intents = new DatabaseSync(join(test.dataDir, 'audit.db'), { readOnly: true });
  const open = intents
    .prepare(
      "SELECT count(*) AS n FROM entries i WHERE phase = 'intent' AND 1 <> (SELECT count(*) FROM entries o WHERE o.phase = 'outcome' AND o.request_id = i.request_id)",
    )
    .get();
  intents.close();
  assert.equal(open?.['n'], 0, 'an intent without exactly one outcome');
  upstream.answer(good);
  // By somebody else, whose record may come when it likes: the server has one place for all.
  const other = await test.token(allScopes, { sub: 'bob' });
  assert.equal((await callTool(test.url, other, 'echo')).status, 200, 'the place was not given back');
}

const ofAlice = async () => (await test.records()).filter(({ subject }) => subject === 'alice');

describe('a client that goes', () => {
  it('before its body is whole', async () => {
    const before = (await ofAlice()).length;
    const seen = upstream.seen.length;
    const socket = await client();
    socket.write(head(call.length) + call.slice(0, 50));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await nothingIsLeft(before, ['malformed_request']);
    assert.equal(upstream.seen.length, seen + 1);
  });

  it('while the upstream thinks: the upstream hears of it', async () => {
    const before = (await ofAlice()).length;
    upstream.answer(() => {});
    const socket = await client();
    socket.write(head(call.length) + call);
    const seen = upstream.seen.length;
    await until(() => assert.equal(upstream.seen.length, seen + 1));
    socket.destroy();
    await until(() => assert.ok(upstream.seen.at(-1)?.aborted));
    await nothingIsLeft(before, ['cancelled']);
  });

  it('in the middle of an answer, of any kind', async () => {
    for (const [type, part] of [
      ['text/event-stream', 'data: {"a":1}\n\n'],
      ['application/json', '{"jsonrpc"'],
      ['application/json', `"${'x'.repeat(2_000_000)}`],
    ] as const) {
      const before = (await ofAlice()).length;
      upstream.answer(({ response }) => {
        response.writeHead(200, { 'content-type': type }).write(part);
      });
      const socket = await client();
      const seen = upstream.seen.length;
      socket.write(head(call.length) + call);
      await until(() => assert.equal(upstream.seen.length, seen + 1));
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
      await until(() => assert.ok(upstream.seen.at(-1)?.aborted, `${type} goes on upstream`));
      await nothingIsLeft(before, ['cancelled']);
    }
  });

  it('while its call waits for the audit store: nothing is sent for nobody', async () => {
    const before = (await ofAlice()).length;
    const seen = upstream.seen.length;
    upstream.answer(good);
    const lock = new DatabaseSync(join(test.dataDir, 'audit.db'));
    lock.exec('BEGIN EXCLUSIVE');
    const socket = await client();
    socket.write(head(call.length) + call);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    lock.exec('COMMIT');
    lock.close();
    await nothingIsLeft(before, ['cancelled']);
    assert.equal(upstream.seen.length, seen + 1, 'a call of a client that had gone left');
  });

  it('while its issuer is asked for keys', async () => {
    const issuer = createServer((request, response) => {
      setTimeout(() => {
        response.setHeader('content-type', 'application/json');
        const origin = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
        const isKeys = request.url === '/jwks';
        response.end(
          JSON.stringify(
            isKeys ? { keys: [test.issuer.publicJwk] } : { issuer: origin, jwks_uri: `${origin}/jwks` },
          ),
        );
      }, 150);
    }).listen(0, '127.0.0.1');
    await once(issuer, 'listening');
    const slow = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const other = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: 'http: { maxBodyBytes: 100000 }',
    });
    try {
      const { readFile, writeFile } = await import('node:fs/promises');
      const { loadConfig } = await import('../../src/config/index.ts');
      await writeFile(
        other.configFile,
        (await readFile(other.configFile, 'utf8')).replace(other.issuer.issuer, slow),
      );
      const { config } = await loadConfig({ file: other.configFile, environment: {}, cwd: other.dataDir });
      await other.gateway.reload(config);
      const bearer = await test.issuer.sign({ iss: slow, aud: other.url, scope: allScopes });
      const seen = upstream.seen.length;
      for (const sent of [call.length, 20]) {
        const socket = connect(other.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.write(head(call.length).replace(token, bearer).replace(String(test.port), String(other.port)));
        socket.write(call.slice(0, sent));
        await new Promise((resolve) => setTimeout(resolve, 100));
        socket.destroy();
      }
      await until(async () => assert.equal((await other.records()).length, 2));
      for (const { result, http_status } of await other.records()) {
        assert.ok(['cancelled', 'malformed'].includes(result ?? ''), result ?? '');
        assert.ok(http_status === null || http_status === 400);
      }
      assert.equal(upstream.seen.length, seen, 'a call of a client that had gone left');
    } finally {
      await other.close();
      issuer.closeAllConnections();
      issuer.close();
    }
  });

  it('one of many on a pipelined connection: each gets one record', async () => {
    const before = (await ofAlice()).length;
    upstream.answer(good);
    const socket = await client();
    socket.write(`${head(2)}[]`.repeat(20));
    await until(async () => assert.equal((await ofAlice()).length, before + 20));
    socket.destroy();
    await nothingIsLeft(before, new Array(20).fill('malformed_message'));
  });
});

describe('a client that takes nothing', () => {
  it('holds the upstream up: memory stays where it is', async () => {
    let written = 0;
    let blocked = false;
    const event = Buffer.from(`data: {"jsonrpc":"2.0","method":"x","params":"${'x'.repeat(64_000)}"}\n\n`);
    upstream.answer(({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const more = (): void => {
        while (written < 400_000_000 && !response.destroyed) {
          written += event.length;
          if (!response.write(event)) {
            blocked = true;
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    const before = (await ofAlice()).length;
    const socket = await client();
    socket.pause();
    socket.write(head(call.length) + call);
    const start = process.memoryUsage().rss;
    let last = -1;
    await until(() => {
      const still = blocked && written === last;
      last = written;
      assert.ok(still, `the upstream is still allowed to write: ${written}`);
    }, 8000);
    assert.ok(written < 40_000_000, `${written} bytes were taken for a client that takes none`);
    assert.ok(process.memoryUsage().rss - start < 150_000_000);
    // It reads on, and all comes in order.
    let read = 0;
    socket.on('data', (chunk) => {
      read += chunk.length;
    });
    socket.resume();
    await until(() => assert.ok(read > 100_000_000), 20_000);
    socket.destroy();
    await nothingIsLeft(before, ['cancelled']);
  });

  it('is let go after a while, and only when nothing moves', async () => {
    const gone: string[] = [];
    const server = createServer((request, response) => {
      const reply = new NodeReply(request, response, { headers: {}, stallMs: 300 });
      reply.onGone(() => gone.push(request.url ?? ''));
      reply.start(200, { 'content-type': 'text/event-stream' });
      const large = Buffer.alloc(30_000_000, 'x');
      if (request.url === '/ended') reply.end(large);
      else if (request.url === '/quiet') reply.write(Buffer.from('a'));
      else reply.write(large);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const open = (path: string): Socket => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      return socket;
    };
    const sockets = ['/written', '/ended', '/quiet'].map((path) => open(path).pause());
    const slow = open('/slow').pause();
    let read = 0;
    const timer = setInterval(() => {
      read += (slow.read(400_000) as Buffer | null)?.length ?? 0;
    }, 20);
    try {
      await until(() => assert.deepEqual(gone.toSorted(), ['/ended', '/written']));
      await new Promise((resolve) => setTimeout(resolve, 600));
      assert.deepEqual(gone.toSorted(), ['/ended', '/written'], 'a client that reads slowly was let go');
      assert.ok(read > 0);
    } finally {
      clearInterval(timer);
      for (const socket of [...sockets, slow]) socket.destroy();
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('large events', () => {
  it('of a call pass whole, also one of 20 MB in many pieces', async () => {
    const text = 'y'.repeat(20 * 1024 * 1024);
    const events = [
      'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n',
      `data: ${result(1, { content: [{ type: 'text', text }] })}\n\n`,
    ];
    upstream.answer(({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const event of events) response.write(event);
      response.end();
    });
    const answer = await callTool(test.url, token, 'echo');
    assert.ok((await answer.text()) === events.join(''));
  });
});
