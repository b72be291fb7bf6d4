import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSeenStore } from '../../src/detections/seen-store.ts';
import { call, bench as newBench } from './support.ts';

const denied = {
  result: 'denied_auth',
  reason: 'token_signature',
  client_id: null,
  subject: null,
  issuer: null,
} as const;
const address = (index: number) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that are still needed. */
function heapInUse(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe('under attack', () => {
  it('a million addresses take the memory of ten thousand, and are told of', () => {
    const bench = newBench({ maxKeys: 10_000 });
    for (let index = 0; index < 1_000_000; index++)
      bench.at(index / 10, call({ ...denied, address: address(index) }));
    assert.ok(bench.engine.size <= 10_000, `${bench.engine.size} keys`);
    const dropped = bench.engine.takeDropped();
    assert.deepEqual(
      dropped.map(({ rule }) => rule.id),
      ['denied_burst'],
    );
    assert.equal(dropped[0]?.keys, 990_000);
  });

  it('a flood of fresh keys does not evict the key that is abused', () => {
    const bench = newBench({ maxKeys: 1_000 });
    let flood = 0;
    let told = 0;
    for (let index = 0; index < 20; index++) {
      const abused = call({ ...denied, address: '192.0.2.7' });
      told += bench.at(index * 10_000, abused).length;
      // Between two tries of the abused address, enough others to fill the table five times, each seen twice.
      if (index === 0) continue;
      for (let other = 0; other < 5_000; other++) {
        flood += 1;
        const one = call({ ...denied, address: address(flood) });
        bench.at(index * 10_000, one);
      }
    }
    assert.equal(told, 1);
  });

  it('a key that was told of is not told of again because others pushed it out', () => {
    const bench = newBench({ maxKeys: 1_000 });
    let told = 0;
    for (let index = 0; index < 40; index++)
      told += bench.at(index, call({ ...denied, address: '192.0.2.7' })).length;
    for (let index = 0; index < 20_000; index++)
      bench.at(100, call({ ...denied, address: address(index >> 2) }));
    for (let index = 0; index < 40; index++)
      told += bench.at(200, call({ ...denied, address: '192.0.2.7' })).length;
    assert.equal(told, 1);
  });

  it('names of any length that an attacker makes up are kept as digests', () => {
    const bench = newBench();
    const before = heapInUse();
    for (let index = 0; index < 9; index++) {
      for (let person = 0; person < 200; person++) {
        const tool_name = `${'x'.repeat(20_000)}${index}`;
        bench.at(
          index,
          call({
            result: 'denied_auth',
            reason: 'unknown_tool',
            tool_name,
            subject: `s${person}`,
            client_id: null,
          }),
        );
      }
    }
    assert.ok(heapInUse() - before < 30_000_000, 'the names themselves are kept');
  });
});

describe('what was seen', () => {
  it('is kept over a restart: no storm of first-seen clients', (t) => {
    const directory = folder(t);
    const first = newBench({ store: openSeenStore(directory, 1_000) });
    assert.deepEqual(first.at(0, call()), ['first_client']);
    assert.deepEqual(first.at(1, call()), []);
    first.seen.close();
    const second = newBench({ store: openSeenStore(directory, 1_000) });
    assert.deepEqual(second.at(0, call()), []);
    assert.deepEqual(second.at(0, call({ client_id: 'client-b' })), ['first_client']);
    second.seen.close();
  });

  it('is bounded on disk and in memory: what was seen longest ago goes', (t) => {
    const directory = folder(t);
    const bench = newBench({ store: openSeenStore(directory, 50), maxSeen: 50 });
    for (let index = 0; index < 500; index++) {
      bench.at(index, call({ client_id: `c${index}`, subject: null, tool_name: null }));
      bench.seen.flush();
    }
    assert.ok(bench.seen.size <= 50);
    bench.seen.close();
    const store = openSeenStore(directory, 50);
    assert.equal([...store.load()].length, 50);
    store.close();
  });

  it('says nothing of anybody in its file', (t) => {
    const directory = folder(t);
    const store = openSeenStore(directory, 50);
    const bench = newBench({ store });
    bench.at(0, call({ client_id: 'very-private-client' }));
    bench.seen.flush();
    const kept = JSON.stringify([...store.load()]);
    assert.match(kept, /^\[\["[0-9a-f]{32}",\d+\]/);
    bench.seen.close();
  });
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'portcullis-detections-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
