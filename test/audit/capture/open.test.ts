import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { AuditRecord, Captured, OpenAuditTrail } from '../../../src/audit/index.ts';
import { readAuditorKey } from '../../../src/config/auditor-key.ts';
import { home, run } from '../../cli/support/run.ts';
import { intent, openTrailFor, record } from '../support.ts';

// The program itself, on a trail with encrypted arguments.

const auditor = generateKeyPairSync('x25519');
const pem = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }));
const args = { amount: 12, iban: 'DE89CANARY', note: '\u001b[2J\u202e\u2028' };

async function trailWith(t: TestContext): Promise<{ cwd: string; trail: OpenAuditTrail }> {
  const cwd = home(t);
  writeFileSync(join(cwd, 'auditor.pem'), pem(auditor.privateKey));
  writeFileSync(join(cwd, 'stranger.pem'), pem(generateKeyPairSync('x25519').privateKey));
  const key = readAuditorKey(String(auditor.publicKey.export({ type: 'spki', format: 'pem' })));
  if ('message' in key) throw new Error(key.message);
  return { cwd, trail: await openTrailFor(t, join(cwd, 'data'), { auditorKey: key }) };
}

async function sealed(trail: OpenAuditTrail, requestId: string, values: object = args): Promise<Captured> {
  return trail.capture({
    requestId,
    server: 'notes',
    organization: 'acme',
    tool: 'create_note',
    arguments: values as never,
    capture: { as: 'encrypted', fields: [] },
  });
}

it('audit open shows the arguments to the auditor, and leaves a record of that', async (t) => {
  const { cwd, trail } = await trailWith(t);
  const [one, other] = [record({ request_id: 'r-1' }), record({ request_id: 'r-2', arguments_hash: null })];
  const captured = await sealed(trail, 'r-1');
  await trail.intent(intent({ ...one, ...captured, result: null }));
  trail.outcome({ ...one, ...captured });
  // Whoever can write to the store puts the blob of one call into another.
  trail.outcome({ ...other, ...captured, arguments_hash: null } as AuditRecord);
  const wrong = await sealed(trail, 'r-3', { amount: 99 });
  trail.outcome({ ...record({ request_id: 'r-3' }), ...wrong, arguments_hash: captured.arguments_hash });
  await trail.flush();
  const data = ['--data', join(cwd, 'data')];

  const shown = await run(['audit', 'open', 'r-1', '--key', 'auditor.pem', ...data], { cwd });
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /"iban":"DE89CANARY"/);
  assert.match(shown.stdout, /they are what the record has the hash of/);
  assert.match(shown.stdout, /^[ -~·\n]*$/, 'nothing that a terminal obeys');

  const json = await run(
    ['audit', 'open', 'r-1', '--key', '-', '--json', ...data],
    { cwd },
    pem(auditor.privateKey),
  );
  assert.deepEqual(JSON.parse(json.stdout).arguments.iban, 'DE89CANARY');
  assert.equal(JSON.parse(json.stdout).matches_hash, true);

  for (const [id, key, problem] of [
    ['r-2', 'auditor.pem', /does not belong to this record.*r-1/],
    ['r-3', 'auditor.pem', /not the arguments that the record has the hash of/],
    ['r-1', 'stranger.pem', /none of these keys opens it/],
  ] as const) {
    const { code, stdout } = await run(['audit', 'open', id, '--key', key, ...data], { cwd });
    assert.equal(code, 1);
    assert.match(stdout, problem);
    if (id !== 'r-3') assert.ok(!stdout.includes('CANARY'));
  }

  const looked = await run(['audit', 'query', '--event', 'audit.opened', '--json', ...data], { cwd });
  const events = looked.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ request_id: id, data: { opened } }) => [id, opened]),
    [
      ['r-1', false],
      ['r-3', false],
      ['r-2', false],
      ['r-1', true],
      ['r-1', true],
    ],
  );
  assert.ok(!looked.stdout.includes('CANARY'));

  const exported = await run(['audit', 'export', '--format', 'jsonl', ...data], { cwd });
  writeFileSync(join(cwd, 'records.jsonl'), exported.stdout);
  const elsewhere = await run(
    ['audit', 'open', '--records', 'records.jsonl', '--key', 'auditor.pem', '--json'],
    { cwd },
  );
  assert.equal(elsewhere.code, 1, 'r-2 does not open');
  const lines = elsewhere.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ request_id: id, problem }) => [id, problem === null]),
    [
      ['r-1', true],
      ['r-2', false],
      ['r-3', true],
    ],
  );

  // Written by a program that leaves in clear what JSON allows in clear.
  const [line = ''] = exported.stdout.split('\n').filter((one) => one.includes('"r-1"'));
  const clear = line.replace('"user_agent":null', '"user_agent":"a\u2028b\u2029c"');
  assert.notEqual(clear, line);
  writeFileSync(join(cwd, 'clear.jsonl'), `${clear}\r\n`);
  const whole = await run(['audit', 'open', '--records', 'clear.jsonl', '--key', 'auditor.pem'], { cwd });
  assert.match(whole.stdout, /"iban":"DE89CANARY","note":"[^"]*\\u2028/);
  assert.equal(whole.code, 0);

  const traced = await run(['audit', 'trace', 'r-1', ...data], { cwd });
  assert.match(traced.stdout, /arguments.*encrypted: audit open/);
});

it('audit open takes no key from the command line, and quotes none', async (t) => {
  const { cwd } = await trailWith(t);
  const typed = await run(['audit', 'open', 'r-1', `--key=${pem(auditor.privateKey)}`], { cwd });
  assert.equal(typed.code, 2);
  assert.match(typed.stderr, /it stood in a command line/);
  writeFileSync(join(cwd, 'bad.pem'), 'CANARY');
  const bad = await run(['audit', 'open', 'r-1', '--key', 'bad.pem', '--data', 'data'], { cwd });
  assert.equal(bad.code, 1);
  assert.ok(!(bad.stdout + bad.stderr + typed.stderr).includes('CANARY'));
});
