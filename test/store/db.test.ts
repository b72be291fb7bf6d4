import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { type Migrations, openDb, openDbForReading } from '../../src/store/index.ts';

const first: Migrations = {
  name: 'things',
  steps: ['CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT) STRICT'],
};

function file(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'store.db');
}

test('a new file is private whatever the umask, in WAL with an fsync for each commit', (t) => {
  const path = file(t);
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const db = openDb(path, first);
  t.after(() => db.close());
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o777, 0o600);
  assert.equal(db.prepare('PRAGMA synchronous').get()?.['synchronous'], 2);
  assert.equal(db.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal');
  assert.equal(db.prepare('PRAGMA foreign_keys').get()?.['foreign_keys'], 1);
});

test('migrations run once, in order, per part', (t) => {
  const path = file(t);
  openDb(path, first).close();
  const second = { ...first, steps: [...first.steps, 'ALTER TABLE things ADD COLUMN colour TEXT'] };
  openDb(path, second).close();
  openDb(path, { name: 'others', steps: ['CREATE TABLE others (id INTEGER) STRICT'] }).close();
  const db = openDb(path, second);
  db.prepare('INSERT INTO things (name, colour) VALUES (:name, :colour)').run({ name: 'a', colour: 'red' });
  assert.deepEqual({ ...db.prepare('SELECT * FROM things').get() }, { id: 1, name: 'a', colour: 'red' });
  db.close();
  assert.throws(() => openDb(path, first), /newer Portcullis \(schema 2\)/);
  assert.throws(() => openDbForReading(path, first), /newer Portcullis \(schema 2\)/);
});

test('a migration that fails leaves nothing and no open handle', (t) => {
  const path = file(t);
  const broken = { name: 'things', steps: ['CREATE TABLE half (id INTEGER) STRICT', 'CREATE NONSENSE'] };
  assert.throws(() => openDb(path, broken));
  const db = openDb(path, first);
  t.after(() => db.close());
  assert.equal(db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(), undefined);
});

test('a transaction is all or nothing; values are bound by name or by place', (t) => {
  const db = openDb(file(t), first);
  t.after(() => db.close());
  assert.throws(
    () =>
      db.transaction(() => {
        db.prepare('INSERT INTO things (name) VALUES (:name)').run({ name: 'x' });
        throw new Error('no');
      }),
    /no/,
  );
  assert.equal(
    db.transaction(() => db.prepare('INSERT INTO things (name) VALUES (?)').run(["'); --"])).changes,
    1,
  );
  assert.deepEqual(
    db
      .prepare('SELECT name FROM things')
      .all()
      .map((row) => row['name']),
    ["'); --"],
  );
});

test('a reader cannot write, and does not create what is missing', (t) => {
  const path = file(t);
  assert.throws(() => openDbForReading(path, first));
  new DatabaseSync(path).close();
  assert.throws(() => openDbForReading(path, first), /holds no things/);
  openDb(path, first).close();
  const db = openDbForReading(path, first);
  t.after(() => db.close());
  assert.throws(() => db.exec("INSERT INTO things (name) VALUES ('x')"), /readonly/);
});

test('a lock is waited for as long as asked', (t) => {
  const path = file(t);
  const holder = openDb(path, first);
  const other = openDb(path, first, { busyTimeoutMs: 30 });
  t.after(() => {
    other.close();
    holder.close();
  });
  holder.transaction(() => {
    assert.throws(() => other.transaction(() => {}), /locked/);
  });
});
