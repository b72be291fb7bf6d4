import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { listOrphans, queryAudit } from '../../src/audit/index.ts';
import {
  intent,
  listeningLog,
  openTrailFor,
  record,
  storedIds,
  temporaryDirectory,
  until,
} from './support.ts';

test('after kill -9 every intent that was promised is there', async (t) => {
  const dataDir = temporaryDirectory(t);
  for (let round = 0; round < 3; round += 1) {
    const promised = await idsUntilKilled(dataDir, 60 + round * 40);
    const stored = new Set(storedIds(dataDir, 'intent'));
    assert.ok(promised.length >= 60);
    assert.deepEqual(
      promised.filter((id) => !stored.has(id)),
      [],
    );
  }
});

async function idsUntilKilled(dataDir: string, count: number): Promise<string[]> {
  const loop = fileURLToPath(new URL('./intent-loop.ts', import.meta.url));
  const child = spawn(process.execPath, [loop, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    if (output.split('\n').length > count) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return output.split('\n').slice(0, -1); // a line without its end was not reported
}

test('a locked store refuses intents, keeps outcomes, and recovers by itself', async (t) => {
  const dataDir = temporaryDirectory(t);
  const { log, said } = listeningLog();
  const trail = await openTrailFor(t, dataDir, { busyTimeoutMs: 50, log });
  const left = intent();
  await trail.intent(left);

  const blocker = new DatabaseSync(trail.file);
  t.after(() => blocker.close());
  blocker.exec('BEGIN IMMEDIATE');
  await assert.rejects(trail.intent(intent()), /audit trail unavailable/);
  assert.equal(trail.healthy(), false);
  trail.outcome(record({ request_id: left.request_id }));
  await assert.rejects(trail.intent(intent()), /audit trail unavailable/);
  blocker.exec('ROLLBACK');

  await trail.flush();
  assert.equal(trail.healthy(), true);
  assert.deepEqual(storedIds(dataDir, 'outcome'), [left.request_id]);
  await trail.intent(intent());
  const [event] = [...queryAudit(dataDir, { events: true })].filter((entry) => entry.phase === 'event');
  assert.equal(event?.event, 'audit.recovered');
  assert.ok(Number(event?.data?.['outage_ms']) >= 100);
  assert.equal(event?.data?.['refused_intents'], 2);
  assert.equal(event?.data?.['delayed_records'], 1);
  assert.equal(event?.data?.['lost_records'], 0);
  assert.deepEqual(
    said.filter(({ level }) => level !== 'debug').map(({ level, message }) => [level, message.split(':')[0]]),
    [
      ['error', 'audit store fails'],
      ['warn', 'audit store has recovered'],
    ],
  );
});

test('a full store refuses intents, and every call that left is in it or among the orphans', async (t) => {
  const dataDir = temporaryDirectory(t);
  const maxBytes = 40 * 4_096;
  const { log, said } = listeningLog();
  const trail = await openTrailFor(t, dataDir, { maxBytes, log });
  const open: string[] = [];
  await assert.rejects(async () => {
    for (;;) {
      const one = intent({ detail: 'x y '.repeat(100) });
      await trail.intent(one);
      open.push(one.request_id);
    }
  }, /full/);
  assert.equal(trail.healthy(), false);
  for (const request_id of open) trail.outcome(record({ request_id }));
  await trail.close();

  const outcomes = storedIds(dataDir, 'outcome');
  const orphans = listOrphans(dataDir).map(({ request_id }) => request_id);
  for (const id of open) assert.ok(outcomes.includes(id) !== orphans.includes(id), id);
  const last = said.findLast(({ level }) => level === 'error');
  assert.deepEqual(last?.fields, { unwritten: open.length - outcomes.length });
  const roomy = await openTrailFor(t, dataDir);
  await roomy.intent(intent());
});

test('a worker that dies is replaced; nothing is lost or written twice', async (t) => {
  const dataDir = temporaryDirectory(t);
  const workers: Worker[] = [];
  const remember = (worker: Worker) => workers.push(worker);
  process.on('worker', remember);
  t.after(() => process.off('worker', remember));
  const trail = await openTrailFor(t, dataDir, { closeWithinMs: 5_000 });
  const ids: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (let index = 0; index < 300; index += 1) {
      const one = record();
      ids.push(one.request_id);
      trail.outcome(one);
    }
    await new Promise((resolve) => setTimeout(resolve, round));
    await workers.at(-1)?.terminate();
    trail.outcome(record({ request_id: `after-${round}` }));
    ids.push(`after-${round}`);
    await until(() => trail.healthy());
    await trail.flush();
  }
  assert.deepEqual(storedIds(dataDir, 'outcome').toSorted(), ids.toSorted());
});

test('an idle worker that dies is found out by the next intent, which is refused', async (t) => {
  const dataDir = temporaryDirectory(t);
  let worker: Worker | undefined;
  const remember = (started: Worker) => {
    worker ??= started;
  };
  process.on('worker', remember);
  t.after(() => process.off('worker', remember));
  const trail = await openTrailFor(t, dataDir);
  await worker?.terminate();
  await assert.rejects(trail.intent(intent()), /audit trail unavailable/);
  await until(() => trail.healthy());
  await trail.intent(intent());
});

test('a full queue refuses intents; outcomes of calls that left still find room; the rest is counted', async (t) => {
  const dataDir = temporaryDirectory(t);
  const { log, said } = listeningLog();
  const trail = await openTrailFor(t, dataDir, { queueRecords: 50, busyTimeoutMs: 3_000, log });
  const open = Array.from({ length: 40 }, () => intent());
  await Promise.all(open.map((one) => trail.intent(one)));

  const blocker = new DatabaseSync(trail.file);
  t.after(() => blocker.close());
  blocker.exec('BEGIN IMMEDIATE');
  trail.event({ timestamp: '', event: 'blocks.the.worker' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let index = 0; index < 200; index += 1) trail.outcome(record({ result: 'denied_auth' }));
  assert.equal(trail.healthy(), false);
  await assert.rejects(trail.intent(intent()), /queue is full/);
  for (const { request_id } of open) trail.outcome(record({ request_id }));
  blocker.exec('ROLLBACK');
  await trail.flush();

  const stored = new Set(storedIds(dataDir, 'outcome'));
  for (const { request_id } of open) assert.ok(stored.has(request_id));
  assert.equal(stored.size, 100, 'twice the bound: 60 denials found room beside 40 promised outcomes');
  assert.equal(trail.healthy(), true);
  assert.ok(said.some(({ message }) => message === 'audit records find no room'));
});

test('close gives up on a store that stays locked, and says how many records it takes along', async (t) => {
  const { log, said } = listeningLog();
  const trail = await openTrailFor(t, temporaryDirectory(t), { busyTimeoutMs: 50, closeWithinMs: 200, log });
  const blocker = new DatabaseSync(trail.file);
  t.after(() => blocker.close());
  blocker.exec('BEGIN IMMEDIATE');
  trail.outcome(record());
  await trail.close();
  assert.deepEqual(said.at(-1), {
    level: 'error',
    fields: { unwritten: 1 },
    message: 'audit trail closed with records unwritten',
  });
});
