import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { createCatalog, createHttpUpstream } from '../../src/upstream/index.ts';

// The gateway reads the tool list itself: an upstream that answers oddly must not hold it up.

const open: (() => unknown)[] = [];
after(async () => {
  for (const close of open) await close();
});

const pins = { see: () => [], stateOf: () => ({ hash: null, quarantine: null }) };

async function catalogOf(answer: (response: ServerResponse, id: unknown) => void) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    answer(response, (JSON.parse(body || '{}') as { id?: unknown }).id);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const config = { kind: 'http', url, headers: {}, requestTimeoutMs: 500, connections: 2 } as const;
  const upstream = await createHttpUpstream({ name: 'x', config, log: silentLog });
  open.push(() => upstream.close());
  return createCatalog({ name: 'x', upstream, pins, clock: systemClock, log: silentLog });
}

const list = (id: unknown) =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo', inputSchema: {} }] } });

describe('the tool list of an upstream', () => {
  it('that leaves the stream open behind its answer is read all the same', async () => {
    const catalog = await catalogOf((response, id) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: {"jsonrpc":"2.0","method":"x"}\n\ndata: ${list(id)}\n\n`);
    });
    assert.equal(await catalog.refresh(), 1);
    assert.equal(await catalog.find('other'), 'unknown');
    assert.equal(((await catalog.find('echo')) as { name: string }).name, 'echo');
  });

  it('that says nothing, or half of it, is given up in time', async () => {
    for (const answer of [
      () => {},
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'application/json' }).write('{'),
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('nonsense'),
      (response: ServerResponse) => response.destroy(),
    ]) {
      const catalog = await catalogOf(answer);
      const from = performance.now();
      assert.equal(await catalog.refresh(), null);
      assert.ok(performance.now() - from < 4000);
      assert.equal(await catalog.find('echo'), null, 'the worst is assumed');
    }
  });

  it('that goes round in a circle of pages ends', async () => {
    let pages = 0;
    const catalog = await catalogOf((response, id) => {
      pages++;
      const result = { tools: [{ name: `t${pages}` }], nextCursor: 'again' };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
    assert.equal(await catalog.refresh(), null);
    assert.ok(pages <= 210, `${pages} pages`);
  });
});
