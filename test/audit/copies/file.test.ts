import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { record, temporaryDirectory, until } from '../support.ts';
import { eventsNamed, trailWith } from './support.ts';

const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');
/** Of the calls: what the chain says of itself has no request. */
const idsOf = (file: string) =>
  linesOf(file).flatMap((line) => (JSON.parse(line) as { request_id?: string }).request_id ?? []);

test('one line a record, mode 0600, in a directory that is made', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'logs', 'audit.jsonl');
  const trail = await trailWith(t, dataDir, { kind: 'file', file });
  trail.outcome(record({ request_id: 'r1', detail: 'a\nb' }));
  trail.outcome(record({ request_id: 'r2' }));
  await trail.close();
  assert.deepEqual(idsOf(file), ['r1', 'r2']);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(Object.keys(JSON.parse(linesOf(file)[0] ?? '')).slice(-3), ['hash', 'position', 'writer']);
});

test('rotates by size, keeps as many as asked, loses none in between', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'audit.jsonl');
  const trail = await trailWith(t, dataDir, { kind: 'file', file, maxBytes: 2_000, keepFiles: 50 });
  const ids = Array.from({ length: 30 }, (_, index) => `r${index}`);
  for (const request_id of ids) {
    trail.outcome(record({ request_id }));
    await trail.flush();
  }
  await trail.close();
  const rotated = readdirSync(dataDir).filter((name) => /^audit-\d{8}T\d{9}Z(-\d+)?\.jsonl$/.test(name));
  assert.ok(rotated.length >= 5, `${rotated.length} files`);
  const found = [...rotated.map((name) => join(dataDir, name)), file].flatMap(idsOf);
  assert.deepEqual(found.toSorted(), ids.toSorted());
});

test('keepFiles removes the oldest, and nothing that is not ours', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'audit.jsonl');
  writeFileSync(join(dataDir, 'audit-notes.jsonl'), 'mine');
  const trail = await trailWith(t, dataDir, { kind: 'file', file, maxBytes: 700, keepFiles: 2 });
  for (let index = 0; index < 8; index += 1) {
    trail.outcome(record({ request_id: `r${index}` }));
    await until(() => trail.copies()[0]?.delivered === index + 2); // the chain has begun with an entry of its own
  }
  await trail.close();
  const names = readdirSync(dataDir).filter((name) => name.endsWith('.jsonl'));
  assert.equal(names.length, 4); // two renamed, the current one, and the notes
  assert.equal(readFileSync(join(dataDir, 'audit-notes.jsonl'), 'utf8'), 'mine');
  const kept = names
    .filter((name) => name !== 'audit-notes.jsonl')
    .flatMap((name) => idsOf(join(dataDir, name)));
  assert.deepEqual(kept.toSorted(), ['r6', 'r7']); // the current one has the last checkpoint
});

test('a file that another program moved away is not written to again', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'audit.jsonl');
  const trail = await trailWith(t, dataDir, { kind: 'file', file });
  trail.outcome(record({ request_id: 'r1' }));
  await until(() => trail.copies()[0]?.delivered === 2); // the first says that the chain begins
  renameSync(file, `${file}.1`);
  trail.outcome(record({ request_id: 'r2' }));
  await trail.close();
  assert.deepEqual([idsOf(`${file}.1`), idsOf(file)], [['r1'], ['r2']]);
});

test('a symbolic link is not followed, and a failure ends when its cause does', async (t) => {
  const dataDir = temporaryDirectory(t);
  const [file, elsewhere] = [join(dataDir, 'audit.jsonl'), join(dataDir, 'victim')];
  writeFileSync(elsewhere, '');
  symlinkSync(elsewhere, file);
  const trail = await trailWith(t, dataDir, { kind: 'file', file });
  trail.outcome(record({ request_id: 'r1' }));
  await until(() => eventsNamed(dataDir, 'audit.sink_failed').length === 1);
  assert.equal(readFileSync(elsewhere, 'utf8'), '');
  rmSync(file);
  await until(() => eventsNamed(dataDir, 'audit.sink_recovered').length === 1);
  assert.equal(idsOf(file)[0], 'r1');
});

test('a line that a crash cut off does not spoil the next', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'audit.jsonl');
  writeFileSync(file, '{"request_id":"r0"}\n{"request_id":"cut', { mode: 0o600 });
  const trail = await trailWith(t, dataDir, { kind: 'file', file });
  trail.outcome(record({ request_id: 'r1' }));
  await trail.close();
  const lines = linesOf(file);
  assert.equal(lines[1], '{"request_id":"cut');
  assert.equal(JSON.parse(lines[2] ?? '').event, 'audit.chain_started');
  assert.equal(JSON.parse(lines[3] ?? '').request_id, 'r1');
});

test('a directory where the file should be is a failure like any other', async (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'audit.jsonl');
  mkdirSync(file);
  const trail = await trailWith(t, dataDir, { kind: 'file', file });
  trail.outcome(record({ request_id: 'r1' }));
  await until(() => eventsNamed(dataDir, 'audit.sink_failed').length === 1);
  assert.equal(trail.healthy(), true);
});

test('standard output: a reader that stalls stops nothing else', async () => {
  const script = `
    import { recordOutput } from './src/cli/output.ts';
    import { writeSync } from 'node:fs';
    const write = recordOutput();
    const line = 'x'.repeat(65535) + '\\n';
    const writing = Promise.all(Array.from({ length: 8 }, () => write(line)));
    setTimeout(() => writeSync(2, 'alive\\n'), 50); // comes although 512 kB wait for the reader
    await writing;
    writeSync(2, 'done\\n');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: join(import.meta.dirname, '../../..'),
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    told += chunk;
  });
  await until(() => told.includes('alive'));
  assert.doesNotMatch(told, /done/);
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(child, 'close');
  assert.equal(bytes, 8 * 65_536);
  assert.match(told, /done/);
});
