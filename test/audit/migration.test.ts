import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { auditFile, queryAudit } from '../../src/audit/index.ts';
import { auditMigrations } from '../../src/audit/schema.ts';
import { openDb } from '../../src/store/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, verify } from './support.ts';

/** The newest schema without real columns. */
const before = 3;

test('a trail of an older version is brought up to date in place, with all that it says', async (t) => {
  const made = temporaryDirectory(t);
  const first = await openTrailFor(t, made);
  await first.intent(intent({ request_id: 'open' }));
  for (let at = 0; at < 20; at += 1)
    first.outcome(record({ request_id: `r${at}`, subject: `user-${at % 3}` }));
  first.event({ timestamp: record().timestamp, event: 'a.b', data: { subject: 'not-this' } });
  await first.close();

  const dataDir = temporaryDirectory(t);
  const old = openDb(auditFile(dataDir), {
    ...auditMigrations,
    steps: auditMigrations.steps.slice(0, before),
  });
  old.exec(`ATTACH '${auditFile(made)}' AS made;
    INSERT INTO writers SELECT * FROM made.writers;
    INSERT INTO records (seq, writer, position, entry, hash) SELECT seq, writer, position, entry, hash FROM made.records;
    INSERT INTO open_calls SELECT * FROM made.open_calls`);
  old.close();
  for (const name of ['audit-keys.json', 'audit-checkpoints']) {
    cpSync(join(made, name), join(dataDir, name), { recursive: true });
  }
  const second = await openTrailFor(t, dataDir);
  second.outcome(record({ request_id: 'after', subject: 'user-1' }));
  await second.close();
  const verification = await verify(dataDir);
  assert.deepEqual(verification.findings, []);
  assert.deepEqual(
    verification.orphans.map(({ requestId }) => requestId),
    ['open'],
  );
  const found = [...queryAudit(dataDir, { subject: 'user-1' })];
  assert.equal(found.length, 8);
  assert.equal(found[0]?.request_id, 'after');
});

test('an entry of an older trail that is no JSON stops nothing, and is found', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = auditFile(dataDir);
  const old = openDb(file, { ...auditMigrations, steps: auditMigrations.steps.slice(0, before) });
  old.exec(`INSERT INTO writers (writer) VALUES ('w');
    INSERT INTO records (writer, position, entry, hash) VALUES (1, 1, '{"subject":"someone"}', x'00')`);
  old.close();
  const bytes = readFileSync(file);
  bytes[bytes.indexOf('{"subject":"someone"}') + 11] = 0x7d; // `{"subject":}someone"}`
  writeFileSync(file, bytes);
  await (await openTrailFor(t, dataDir)).close();
  assert.ok((await verify(dataDir)).findings.some(({ kind }) => kind === 'edited'));
});
