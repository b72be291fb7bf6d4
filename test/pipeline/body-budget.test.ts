import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBodyBudget } from '../../src/pipeline/index.ts';
import { good, startHostileUpstream } from '../attacks/hostile-upstream.ts';
import { allScopes, callTool, startTestGateway, until } from '../gateway/support.ts';

describe('the budget of bodies', () => {
  it('never holds more than it may, for all and for each, and gives everything back', () => {
    const step = fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      share: fc.nat(3),
      bytes: fc.integer({ min: 1, max: 60 }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const budget = createBodyBudget({ total: 150, owner: 70 });
        const shares = new Map<
          string,
          { owner: string; share: ReturnType<typeof budget.open>; taken: number }
        >();
        for (const { owner, share, bytes, release } of steps) {
          const name = `${owner}${share}`;
          const known = shares.get(name) ?? { owner, share: budget.open(owner), taken: 0 };
          shares.set(name, known);
          if (release) {
            known.share.release();
            shares.delete(name);
          } else if (known.share.take(bytes) === null) known.taken += bytes;
          const all = [...shares.values()];
          const sum = (list: typeof all) => list.reduce((total, { taken }) => total + taken, 0);
          assert.equal(budget.size().bytes, sum(all));
          assert.ok(sum(all) <= 150);
          for (const one of ['a', 'b', 'c']) assert.ok(sum(all.filter((entry) => entry.owner === one)) <= 70);
        }
        for (const { share } of shares.values()) share.release();
        assert.deepEqual(budget.size(), { bytes: 0, owners: 0 });
      }),
    );
  });

  it('keeps one token from filling the memory with half bodies, and serves everybody else', async () => {
    const upstream = await startHostileUpstream();
    upstream.answer(good);
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    const sockets: Socket[] = [];
    try {
      const greedy = await test.token(allScopes, { sub: 'greedy' });
      let refused = 0;
      const part = Buffer.alloc(3_900_000, ' ');
      for (let i = 0; i < 40; i++) {
        const socket = connect(test.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('data', (chunk) => {
          if (chunk.toString('latin1').startsWith('HTTP/1.1 429')) refused++;
        });
        socket.write(
          `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${test.port}\r\nauthorization: Bearer ${greedy}\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n`,
        );
        socket.write(part);
        sockets.push(socket);
      }
      await until(() => assert.ok(refused >= 30, `${refused} refused`), 10_000);
      const other = await test.token(allScopes, { sub: 'other' });
      assert.equal((await callTool(test.url, other, 'echo', { text: 'x'.repeat(3_000_000) })).status, 200);
      for (const socket of sockets) socket.destroy();
      await until(async () => {
        const again = await callTool(test.url, greedy, 'echo', { text: 'x'.repeat(3_000_000) });
        assert.equal(again.status, 200, 'what was held was not given back');
      });
      const held = (await test.records()).filter(({ reason }) => reason === 'limit_concurrency');
      assert.ok(held.length >= 30);
    } finally {
      for (const socket of sockets) socket.destroy();
      await test.close();
      await upstream.close();
    }
  });
});
