import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { chainNext, chainStart } from '../../src/audit/chain.ts';
import { Checkpointer } from '../../src/audit/checkpointer.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { createStamp, writeCall } from '../../src/audit/record.ts';
import type { AuditSink } from '../../src/audit/sinks/sink.ts';
import { Writer } from '../../src/audit/writer.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { intent, record } from './support.ts';

const stamp = createStamp(systemClock, 'test');

const signer = { id: '00000000', key: generateKeyPairSync('ed25519').privateKey };

function checkpointer(everyRecords: number): Checkpointer {
  const options = { writer: 'w', signer, clock: systemClock, log: silentLog, stamp, everyRecords };
  return new Checkpointer({ ...options, witnesses: [], tell: () => {} });
}

type Fault = 'none' | 'lost' | 'kept' | 'closed';

/** Keeps entries in memory and follows a script of faults, one a call; none once the script is over. */
function faultySink(script: Fault[]): { sink: AuditSink; stored: AuditEntry[] } {
  const stored: AuditEntry[] = [];
  const next = () => script.shift() ?? 'none';
  const sink: AuditSink = {
    async open() {
      if (next() === 'closed') throw new Error('cannot open');
      const last = stored.at(-1);
      return { position: last?.position ?? 0, hash: last?.hash ?? null };
    },
    async append(entries) {
      const fault = next();
      if (fault === 'none' || fault === 'kept') stored.push(...entries);
      if (fault !== 'none') throw new Error('disk');
    },
    async close() {},
  };
  return { sink, stored };
}

test('whatever fails and when: no outcome is lost or doubled, no gap, no promise broken', async () => {
  const scripts = fc.array(fc.constantFrom<Fault>('none', 'none', 'lost', 'kept', 'closed'), {
    maxLength: 25,
  });
  const steps = fc.array(fc.constantFrom('call', 'denial', 'pause'), { minLength: 1, maxLength: 40 });
  const durabilities = fc.constantFrom('strict' as const, 'batched' as const);
  await fc.assert(
    fc.asyncProperty(
      scripts,
      steps,
      durabilities,
      fc.integer({ min: 1, max: 20 }),
      async (script, plan, durability, every) => {
        const faults: Fault[] = ['none', ...script];
        const { sink, stored } = faultySink(faults);
        const writer = new Writer({
          sink,
          writer: 'w',
          stamp,
          checkpointer: checkpointer(every),
          checkpointEveryMs: 60_000,
          durability,
          whenStoreFails: 'refuse',
          clock: systemClock,
          log: silentLog,
          bounds: { records: 1_000, bytes: 10_000_000 },
          closeWithinMs: 5_000,
          firstRetryMs: 0,
        });
        await writer.open();
        const told: string[] = [];
        writer.subscribe(({ hash }) => told.push(hash));
        const promised: string[] = [];
        const outcomes: string[] = [];
        const finish = (request_id: string) => {
          outcomes.push(request_id);
          writer.add({ phase: 'outcome', ...writeCall(record({ request_id }), stamp('outcome')) });
        };
        const calls = plan.map(async (step) => {
          if (step === 'pause') await new Promise((resolve) => setImmediate(resolve));
          if (step === 'denial') finish(record().request_id);
          if (step !== 'call') return;
          const one = intent();
          await writer.intent(writeCall(one, stamp('intent')), { destructive: true }).then(
            () => promised.push(one.request_id),
            () => {},
          );
          finish(one.request_id);
        });
        await Promise.all(calls);
        faults.length = 0;
        await writer.flush();
        await writer.close();

        const ids = (phase: string) =>
          stored.filter((entry) => entry.phase === phase).map(({ record }) => record.request_id);
        assert.deepEqual(
          stored.map(({ position }) => position),
          stored.map((_, index) => index + 1),
        );
        let hash = chainStart('w');
        for (const entry of stored) {
          hash = chainNext(hash, entry.text);
          assert.equal(entry.hash, hash, 'one chain, whatever failed');
        }
        assert.deepEqual(
          told,
          stored.map(({ hash }) => hash),
          'listeners hear what is durable, once, in order',
        );
        assert.deepEqual(ids('outcome').toSorted(), outcomes.toSorted());
        for (const id of promised) assert.ok(ids('intent').includes(id));
        assert.equal(new Set(ids('intent')).size, ids('intent').length);
      },
    ),
    { numRuns: 60 },
  );
});
