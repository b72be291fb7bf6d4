import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { Checkpointer } from '../../src/audit/checkpointer.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { createStamp, writeCall } from '../../src/audit/record.ts';
import { Settlers } from '../../src/audit/settlers.ts';
import { Writer, type WriterOptions } from '../../src/audit/writer.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { record, until } from './support.ts';

const stamp = createStamp(systemClock, 'test');
const signer = { id: '00000000', key: generateKeyPairSync('ed25519').privateKey };

/** A writer to a disk whose every append ends when, and as, the test says. */
async function writerTo(t: TestContext, more: Partial<WriterOptions> = {}) {
  const appends: { entries: readonly AuditEntry[]; end(error?: Error): void }[] = [];
  let stored: AuditEntry[] = [];
  const writer = new Writer({
    sink: {
      async open() {
        const last = stored.at(-1);
        return { position: last?.position ?? 0, hash: last?.hash ?? null };
      },
      append: (entries) =>
        new Promise((resolve, reject) => {
          appends.push({
            entries,
            end(error) {
              if (error) return reject(error);
              stored = [...stored, ...entries];
              resolve();
            },
          });
        }),
      async close() {},
    },
    writer: 'w',
    stamp,
    checkpointer: new Checkpointer({
      ...{ writer: 'w', signer, clock: systemClock, log: silentLog, stamp },
      ...{ everyRecords: 1_000, witnesses: [], tell: () => {} },
    }),
    checkpointEveryMs: 60_000,
    durability: 'strict',
    whenStoreFails: 'refuse',
    clock: systemClock,
    log: silentLog,
    bounds: { records: 10, bytes: 10_000_000 },
    closeWithinMs: 50,
    firstRetryMs: 0,
    ...more,
  });
  await writer.open();
  t.after(() => writer.close());
  const deny = () => writer.add({ phase: 'outcome', ...writeCall(record(), stamp('outcome')) });
  const append = async (count: number) => {
    await until(() => appends.length >= count);
    return appends[count - 1] ?? assert.fail();
  };
  return { writer, deny, append, stored: () => stored.length };
}

/** Whether it is settled after everything that could settle it without the disk. */
async function isSettled(settled: Promise<void>): Promise<boolean> {
  const later = new Promise<false>((resolve) => setTimeout(() => resolve(false), 20));
  return Promise.race([settled.then(() => true), later]);
}

test('who answers waits for the disk, and all who came while it was busy share the next commit', async (t) => {
  const { writer, deny, append } = await writerTo(t);
  deny();
  const first = writer.settled();
  const one = await append(1);
  deny();
  const second = writer.settled();
  deny();
  const third = writer.settled();
  assert.equal(await isSettled(first), false);
  one.end();
  await first;
  const two = await append(2);
  assert.equal(two.entries.length, 2);
  assert.equal(await isSettled(second), false);
  two.end();
  await Promise.all([second, third]);
  await writer.settled(); // nothing waits
});

test('a store that fails keeps nobody: who waits goes on, who comes does not wait, until it has recovered', async (t) => {
  const { writer, deny, append } = await writerTo(t);
  deny();
  const waiting = writer.settled();
  (await append(1)).end(new Error('disk'));
  await waiting;
  assert.equal(writer.healthy(), false);
  deny();
  assert.ok(await isSettled(writer.settled()));
  (await append(2)).end(); // `audit.recovered`
  await until(() => writer.healthy());
  const again = writer.settled();
  assert.equal(await isSettled(again), false);
  (await append(3)).end();
  await again;
});

test('a queue that intents find no room in keeps nobody either: a flood does not pile up requests', async (t) => {
  const { writer, deny } = await writerTo(t);
  const waiting = Array.from({ length: 9 }, () => {
    deny();
    return writer.settled();
  });
  deny();
  assert.ok(await isSettled(writer.settled()));
  assert.equal(await isSettled(Promise.any(waiting)), false);
});

test('closing lets go of everybody, whatever the disk does', async (t) => {
  const { writer, deny, append } = await writerTo(t);
  deny();
  const waiting = writer.settled();
  await append(1);
  await writer.close();
  await waiting;
  await writer.settled();
});

test('batched answers at once, and commits no sooner for it', async (t) => {
  const { writer, deny, append } = await writerTo(t, { durability: 'batched' });
  deny();
  assert.ok(await isSettled(writer.settled()));
  (await append(1)).end();
});

test('nobody waits longer than is bearable, and who waits for the same shares a promise', async () => {
  const settlers = new Settlers({ withinMs: 30, most: 2 });
  const one = settlers.wait(1);
  assert.equal(settlers.wait(1), one);
  await Promise.all([one, settlers.wait(2)]);
  const three = settlers.wait(3);
  const four = settlers.wait(4);
  await settlers.wait(5); // two wait already
  settlers.settle(3);
  await three;
  settlers.settle();
  await four;
});
