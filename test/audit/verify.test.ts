import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { chainNext } from '../../src/audit/chain.ts';
import { type AuditTrailOptions, auditFile, fileWitness, type Verification } from '../../src/audit/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, until, verify } from './support.ts';

/** A trail of two runs: `calls` calls each, closed in order. */
async function twoRuns(t: TestContext, calls = 6, more: Partial<AuditTrailOptions> = {}): Promise<string> {
  const dataDir = temporaryDirectory(t);
  for (const run of [1, 2]) {
    const trail = await openTrailFor(t, dataDir, more);
    for (let at = 0; at < calls; at += 1) {
      const one = intent({ subject: `user-${run}-${at}` });
      await trail.intent(one);
      trail.outcome(record({ request_id: one.request_id, subject: one.subject }));
    }
    await trail.close();
  }
  return dataDir;
}

/** Statements of somebody who owns the file: guards are dropped first, and put back after. */
function tamper(dataDir: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(auditFile(dataDir), { defensive: false });
  const guards = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of guards) db.exec(`DROP TRIGGER ${String(name)}`);
  work(db);
  for (const { sql } of guards) db.exec(String(sql));
  db.close();
}

const kinds = ({ findings }: Verification) => [...new Set(findings.map(({ kind }) => kind))];

test('what nobody touched is as it was written', async (t) => {
  const dataDir = await twoRuns(t);
  const verification = await verify(dataDir);
  assert.deepEqual(verification.findings, []);
  assert.equal(verification.chains.length, 2);
  assert.equal(verification.checkpoints, 2);
  assert.equal(verification.unsealed, 0, 'closed in order: everything is under a checkpoint');
  assert.deepEqual(verification.orphans, []);
});

test('a run that writes nothing leaves no chain', async (t) => {
  const dataDir = temporaryDirectory(t);
  await (await openTrailFor(t, dataDir)).close();
  assert.deepEqual((await verify(dataDir)).chains, []);
});

const attacks: Readonly<Record<string, { sql: string; kind: string }>> = {
  'a value changed': {
    sql: "UPDATE records SET entry = replace(entry, 'user-1-2', 'user-1-9') WHERE entry ->> 'subject' = 'user-1-2'",
    kind: 'edited',
  },
  'an outcome made a success': {
    sql: "UPDATE records SET entry = replace(entry, 'success', 'timeout') WHERE seq = 3",
    kind: 'edited',
  },
  'a hash changed': { sql: 'UPDATE records SET hash = zeroblob(32) WHERE seq = 5', kind: 'edited' },
  'a row removed': { sql: 'DELETE FROM records WHERE seq = 4', kind: 'missing' },
  'a row removed and the rest moved up': {
    sql: 'DELETE FROM records WHERE seq = 4; UPDATE records SET position = -position WHERE writer = 1 AND position > 4; UPDATE records SET position = -position - 1 WHERE position < 0',
    kind: 'edited',
  },
  'the first rows removed': { sql: 'DELETE FROM records WHERE writer = 1 AND position < 4', kind: 'removed' },
  'a whole chain removed': {
    sql: 'DELETE FROM records WHERE writer = 1; DELETE FROM writers WHERE id = 1',
    kind: 'truncated',
  },
  'the last chain removed': { sql: 'DELETE FROM records WHERE writer = 2', kind: 'truncated' },
  'the tail cut off': { sql: 'DELETE FROM records WHERE writer = 2 AND position > 3', kind: 'truncated' },
  'two rows exchanged': {
    sql: 'UPDATE records SET position = -1 WHERE seq = 4; UPDATE records SET position = 4 WHERE seq = 5; UPDATE records SET position = 5 WHERE position = -1',
    kind: 'missing',
  },
  'a row copied to the end': {
    sql: 'INSERT INTO records (writer, position, entry, hash) SELECT 2, (SELECT max(position) + 1 FROM records WHERE writer = 2), entry, hash FROM records WHERE seq = 4',
    kind: 'edited',
  },
  'a row moved to another chain': {
    sql: 'UPDATE records SET writer = 2, position = 99 WHERE seq = 4',
    kind: 'missing',
  },
  'an index that hides rows': {
    sql: "DROP INDEX records_event; CREATE INDEX records_event ON records (event, timestamp, seq) WHERE phase <> 'intent' AND event IS NOT NULL AND event <> 'x'",
    kind: 'schema',
  },
  'a trigger by a name like those of SQLite': {
    sql: 'CREATE TRIGGER sqlitex AFTER INSERT ON records BEGIN DELETE FROM open_calls; END',
    kind: 'schema',
  },
  'a trigger by a name of SQLite itself': {
    sql: `PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('trigger', 'sqlite_x', 'records', 0,
        'CREATE TRIGGER sqlite_x AFTER INSERT ON records BEGIN DELETE FROM open_calls; END');
      PRAGMA writable_schema = OFF`,
    kind: 'schema',
  },
  'a removal that the next start would go on with': {
    sql: 'INSERT INTO removals (writer, through, hash) SELECT writer, position, hash FROM records WHERE seq = 4',
    kind: 'index',
  },
  'a column that hides a row': {
    sql: "UPDATE records SET event = 'nothing.of_note' WHERE event = 'audit.checkpoint'",
    kind: 'column',
  },
  'a time that hides a row': {
    sql: "UPDATE records SET timestamp = '1999-01-01T00:00:00.000Z' WHERE seq = 4",
    kind: 'column',
  },
  'an outcome that looks like an intent': {
    sql: "UPDATE records SET phase = 'intent' WHERE seq = 5",
    kind: 'column',
  },
  'a call that looks like an event': {
    sql: "UPDATE records SET event = 'audit.checkpoint' WHERE seq = 5",
    kind: 'column',
  },
  'a chain without its name': {
    sql: "UPDATE writers SET writer = 'somebody-else' WHERE id = 1",
    kind: 'edited',
  },
};

for (const [name, { sql, kind }] of Object.entries(attacks)) {
  test(`found: ${name}`, async (t) => {
    const dataDir = await twoRuns(t);
    tamper(dataDir, (db) => db.exec(sql));
    const verification = await verify(dataDir);
    assert.equal(verification.ok, false);
    assert.ok(kinds(verification).includes(kind as never), JSON.stringify(verification.findings));
  });
}

test('found: guards of the table that were dropped', async (t) => {
  const dataDir = await twoRuns(t);
  const db = new DatabaseSync(auditFile(dataDir));
  db.exec('DROP TRIGGER records_no_delete');
  db.close();
  assert.deepEqual(kinds(await verify(dataDir)), ['schema']);
});

test('found: a chain that was written anew with all its hashes', async (t) => {
  const dataDir = await twoRuns(t);
  tamper(dataDir, (db) => rewrite(db, 1, (text) => text.replace('user-1-2', 'user-1-9')));
  const verification = await verify(dataDir);
  assert.ok(kinds(verification).includes('forked'), JSON.stringify(verification.findings));
  assert.ok(kinds(verification).includes('rewritten'), 'the next chain has named its end');
});

/** Changes texts of a chain and gives every entry the hash that follows. */
function rewrite(db: DatabaseSync, writer: number, change: (text: string) => string): void {
  const rows = db
    .prepare('SELECT seq, entry, hash FROM records WHERE writer = ? ORDER BY position')
    .all(writer);
  let before: string | null = null;
  for (const { seq, entry, hash } of rows) {
    const text = change(String(entry));
    const next: string =
      before === null ? Buffer.from(hash as Uint8Array).toString('hex') : chainNext(before, text);
    db.prepare('UPDATE records SET entry = ?, hash = ? WHERE seq = ?').run(
      text,
      Buffer.from(next, 'hex'),
      Number(seq),
    );
    before = next;
  }
}

test('a checkpoint kept elsewhere finds what the data directory can no longer tell', async (t) => {
  const elsewhere = join(temporaryDirectory(t), 'checkpoints');
  const dataDir = await twoRuns(t, 6, { witnesses: [fileWitness(elsewhere)] });
  tamper(dataDir, (db) => db.exec('DELETE FROM records WHERE writer = 2 AND position > 3'));
  rmSync(join(dataDir, 'audit-checkpoints'), { recursive: true });
  assert.equal((await verify(dataDir)).ok, true, 'the directory alone cannot know');
  const verification = await verify(dataDir, { checkpoints: [elsewhere] });
  assert.deepEqual(kinds(verification), ['truncated']);
});

test('a key that was put in the place of the old one vouches for nothing', async (t) => {
  const elsewhere = join(temporaryDirectory(t), 'checkpoints');
  const dataDir = await twoRuns(t, 6, { witnesses: [fileWitness(elsewhere)] });
  const other = await twoRuns(t);
  copyFileSync(join(other, 'audit-keys.json'), join(dataDir, 'audit-keys.json'));
  const verification = await verify(dataDir, { checkpoints: [elsewhere] });
  assert.ok(verification.findings.every(({ kind }) => kind === 'signature') && !verification.ok);
});

test('forged notes, and what is no note, are findings', async (t) => {
  const dataDir = await twoRuns(t);
  const directory = join(dataDir, 'audit-checkpoints');
  const [name = ''] = readdirSync(directory);
  const note = readFileSync(join(directory, name), 'utf8');
  for (const forged of [note.replace(/\n\d+\n/, '\n3\n'), note.slice(0, -20), `${note}x`, 'no note\n']) {
    writeFileSync(join(directory, 'forged.note'), forged);
    assert.ok(kinds(await verify(dataDir)).includes('signature'), forged);
  }
});

test('any byte of an entry or hash that is changed, any row removed, moved or doubled, any tail cut is found', async (t) => {
  const made = await twoRuns(t, 4);
  const work = join(temporaryDirectory(t), 'copy');
  const count = (await verify(made)).entries;
  const writers = writersOf(made);
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('byte'),
      row: fc.integer({ min: 1, max: count }),
      at: fc.nat(),
      to: fc.integer({ min: 1, max: 255 }),
    }),
    fc.record({ kind: fc.constantFrom('remove', 'double', 'cut'), row: fc.integer({ min: 1, max: count }) }),
    fc.record({
      kind: fc.constant('move'),
      row: fc.integer({ min: 1, max: count }),
      to: fc.integer({ min: 1, max: count }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(step, async (change) => {
      // The order between chains is no part of any: a move is a change within one.
      if ('to' in change && change.kind === 'move') {
        fc.pre(change.row !== change.to && writers[change.row] === writers[change.to]);
      }
      rmSync(work, { recursive: true, force: true });
      mkdirSync(join(work, 'audit-checkpoints'), { recursive: true });
      for (const file of ['audit.db', 'audit-keys.json']) copyFileSync(join(made, file), join(work, file));
      for (const file of readdirSync(join(made, 'audit-checkpoints'))) {
        copyFileSync(join(made, 'audit-checkpoints', file), join(work, 'audit-checkpoints', file));
      }
      tamper(work, (db) => apply(db, change));
      assert.equal((await verify(work)).ok, false);
    }),
    { numRuns: 100 },
  );
});

/** By row: whose chain it is in. */
function writersOf(dataDir: string): Record<number, number> {
  const db = new DatabaseSync(auditFile(dataDir), { readOnly: true });
  const rows = db.prepare('SELECT seq, writer FROM records').all();
  db.close();
  return Object.fromEntries(rows.map(({ seq, writer }) => [Number(seq), Number(writer)]));
}

type Change =
  | { kind: string; row: number; at: number; to: number }
  | { kind: string; row: number }
  | { kind: string; row: number; to: number };

function apply(db: DatabaseSync, change: Change): void {
  const { kind, row } = change;
  if ('at' in change) {
    const { entry } = db.prepare('SELECT entry FROM records WHERE seq = ?').get(row) ?? {};
    const bytes = Buffer.from(String(entry));
    const at = change.at % bytes.length;
    bytes[at] = (bytes[at] ?? 0) ^ change.to;
    db.prepare('UPDATE records SET entry = CAST(? AS TEXT) WHERE seq = ?').run(bytes, row);
  } else if ('to' in change) {
    db.exec(
      `UPDATE records SET seq = -1 WHERE seq = ${row}; UPDATE records SET seq = ${row} WHERE seq = ${change.to}; UPDATE records SET seq = ${change.to} WHERE seq = -1`,
    );
  } else if (kind === 'remove') db.exec(`DELETE FROM records WHERE seq = ${row}`);
  else if (kind === 'cut') db.exec(`DELETE FROM records WHERE seq >= ${row}`);
  else {
    db.exec(
      `INSERT INTO records (writer, position, entry, hash) SELECT writer, position + 1000, entry, hash FROM records WHERE seq = ${row}`,
    );
  }
}

test('an entry that is no JSON any more stops neither verify nor its other findings', async (t) => {
  const dataDir = await twoRuns(t);
  const file = auditFile(dataDir);
  const bytes = readFileSync(file);
  const mark = '"subject":"user-';
  let found = 0;
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1), found += 1) {
    bytes[at + 10] = 0x7d; // `"subject":}user-…` is no JSON
  }
  assert.ok(found > 0);
  writeFileSync(file, bytes);
  assert.ok(kinds(await verify(dataDir)).includes('edited'), JSON.stringify(await verify(dataDir)));
});

test('checkpoints come by count and by time, and reach a file elsewhere', async (t) => {
  const elsewhere = join(temporaryDirectory(t), 'checkpoints');
  const dataDir = temporaryDirectory(t);
  const trail = await openTrailFor(t, dataDir, {
    checkpoints: { everyRecords: 100, everyMs: 50 },
    witnesses: [fileWitness(elsewhere)],
  });
  trail.outcome(record());
  await until(() => existsSync(elsewhere));
  for (let at = 0; at < 250; at += 1) trail.outcome(record());
  await trail.close();
  const notes = readFileSync(elsewhere, 'utf8').match(/^portcullis\.audit\//gm) ?? [];
  assert.ok(notes.length >= 2);
  const verification = await verify(dataDir, { checkpoints: [elsewhere] });
  assert.deepEqual(verification.findings, []);
});

test('a witness that fails is on record, once, and its recovery too', async (t) => {
  const dataDir = temporaryDirectory(t);
  let broken = true;
  const kept: string[] = [];
  const witness = {
    name: 'elsewhere',
    publish: async (note: string) => {
      if (broken) throw new Error('away');
      kept.push(note);
    },
  };
  const trail = await openTrailFor(t, dataDir, {
    checkpoints: { everyRecords: 2, everyMs: 60_000 },
    witnesses: [witness],
  });
  const events: string[] = [];
  trail.subscribe(
    ({ record }) => 'event' in record && record.event !== 'audit.checkpoint' && events.push(record.event),
  );
  for (let at = 0; at < 4; at += 1) {
    trail.outcome(record());
    await trail.flush();
  }
  broken = false;
  for (let at = 0; at < 4; at += 1) {
    trail.outcome(record());
    await trail.flush();
  }
  await trail.close();
  assert.deepEqual(events, ['audit.chain_started', 'audit.witness_failed', 'audit.witness_recovered']);
  assert.ok(kept.length > 0);
});
