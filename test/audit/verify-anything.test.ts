import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { auditFile } from '../../src/audit/index.ts';
import { timestamp } from '../../src/base/index.ts';
import { intent, openTrailFor, record, temporaryDirectory, verify } from './support.ts';

// Whoever owns the file may change anything in it, by statements or byte by byte: what changes what anybody reads of the trail is found.

/** Two runs with calls that ended, one whose fate is unknown, and an event; closed, so that everything is in one file. */
async function twoRuns(t: TestContext): Promise<string> {
  const dataDir = temporaryDirectory(t);
  for (const run of [1, 2]) {
    const trail = await openTrailFor(t, dataDir);
    for (let at = 0; at < 5; at += 1) {
      const one = intent({ subject: `user-${run}-${at}` });
      await trail.intent(one);
      if (at !== 3) trail.outcome(record({ request_id: one.request_id, subject: one.subject }));
    }
    trail.event({ timestamp: timestamp(0), event: 'token.issued', subject: 'alice', data: { jti: 'x' } });
    await trail.close();
  }
  return dataDir;
}

/** Everything that somebody who queries can be told; null where it cannot be read. `indexed` and `segments` are hints alone. */
function readings(dataDir: string): string | null {
  const db = new DatabaseSync(auditFile(dataDir), { readOnly: true });
  try {
    const tables = ['records', 'writers', 'open_calls', 'removals'];
    const all = tables.map((name) => db.prepare(`SELECT * FROM ${name}`).all());
    // As queries do: by an index.
    const ways = ["phase <> 'intent' AND timestamp > ''", "phase <> 'intent' AND event > ''", 'writer > 0'];
    const found = ways.map((where) => db.prepare(`SELECT seq, entry FROM records WHERE ${where}`).all());
    return JSON.stringify([all, found]);
  } catch {
    return null;
  } finally {
    db.close();
  }
}

/** A finding, or no verification at all: both are told, with an exit code. */
async function isFound(dataDir: string): Promise<boolean> {
  return verify(dataDir).then(
    ({ ok }) => !ok,
    () => true,
  );
}

test('any byte of the file that changes what is read of the trail, by any way, is found', async (t) => {
  const made = await twoRuns(t);
  const before = readings(made);
  assert.ok(before !== null && !(await isFound(made)));
  const bytes = readFileSync(auditFile(made));
  const work = join(temporaryDirectory(t), 'copy');
  let changes = 0;
  const flip = fc.record({ at: fc.nat({ max: bytes.length - 1 }), by: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(flip, async ({ at, by }) => {
      rmSync(work, { recursive: true, force: true });
      cpSync(made, work, { recursive: true });
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ by;
      writeFileSync(auditFile(work), changed);
      if (readings(work) === before) return; // of a page that is not in use, or of no meaning
      changes += 1;
      assert.ok(await isFound(work));
    }),
    { numRuns: 300 },
  );
  assert.ok(changes > 20, String(changes));
});

/** A value that is another one, of the same type where the column insists. */
function otherThan(value: unknown, at: number, by: number): SQLInputValue {
  if (typeof value === 'number') return value + by;
  if (value === null) return 'x';
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
  if (bytes.length === 0) return 'x';
  // Letters stay letters: what is no text is the matter of the test above.
  const place = at % bytes.length;
  bytes[place] =
    value instanceof Uint8Array ? (bytes[place] ?? 0) ^ by : 97 + (((bytes[place] ?? 0) + by) % 26);
  return value instanceof Uint8Array ? bytes : bytes.toString();
}

test('any value of any column of any table that is changed, and any row that is removed or doubled, is found', async (t) => {
  const made = await twoRuns(t);
  const work = join(temporaryDirectory(t), 'copy');
  const change = fc.record({
    table: fc.constantFrom('records', 'writers', 'open_calls'),
    kind: fc.constantFrom('value', 'value', 'value', 'remove'),
    row: fc.nat(),
    column: fc.nat(),
    at: fc.nat(),
    by: fc.integer({ min: 1, max: 25 }),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ table, kind, row, column, at, by }) => {
      rmSync(work, { recursive: true, force: true });
      cpSync(made, work, { recursive: true });
      const db = new DatabaseSync(auditFile(work), { enableForeignKeyConstraints: false });
      const guards = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
      for (const { name } of guards) db.exec(`DROP TRIGGER ${String(name)}`);
      const rows = db.prepare(`SELECT * FROM ${table}`).all();
      const chosen = rows[row % rows.length] ?? assert.fail();
      const key = Object.keys(chosen)[0] ?? assert.fail(); // `seq`, `id` or `request_id`
      const names = Object.keys(chosen).filter((name) => name !== 'seq' || table === 'open_calls');
      const name = names[column % names.length] ?? assert.fail();
      const id = chosen[key] as SQLInputValue;
      try {
        if (kind === 'remove') db.prepare(`DELETE FROM ${table} WHERE ${key} = ?`).run(id);
        else {
          const value = otherThan(chosen[name], at, by);
          fc.pre(value !== chosen[name]);
          db.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${key} = ?`).run(value, id);
        }
        for (const { sql } of guards) db.exec(String(sql));
      } catch (error) {
        fc.pre(!/constraint failed/.test(String(error))); // nobody can do that
        throw error;
      } finally {
        db.close();
      }
      assert.ok(await isFound(work), `${kind} ${table}.${name} ${String(id)}`);
    }),
    { numRuns: 150 },
  );
});
