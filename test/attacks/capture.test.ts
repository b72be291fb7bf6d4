import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openSealed, readAuditorKeys } from '../../src/audit/capture/sealed.ts';
import type { AuditRecord } from '../../src/audit/index.ts';
import type { Log } from '../../src/base/index.ts';
import { callTool, startTestGateway, type TestGateway, until } from '../gateway/support.ts';
import { good, type HostileUpstream, startHostileUpstream, tool } from './hostile-upstream.ts';

// What a record keeps of arguments, asked of everything that the gateway writes.

const auditor = generateKeyPairSync('x25519');
const privateKey = String(auditor.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const names = ['kept_none', 'kept_hash', 'kept_fields', 'kept_sealed', 'kept_if', 'hidden_sealed', 'unsaid'];
const said: string[] = [];
const log = new Proxy({} as Log, {
  get: (_, level) => (fields: object, message: string) =>
    said.push(JSON.stringify({ level, fields, message })),
});

let upstream: HostileUpstream;
let test: TestGateway;
let token: string;
let elsewhere: string;

before(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'portcullis-capture-'));
  writeFileSync(
    join(elsewhere, 'auditor.pub.pem'),
    auditor.publicKey.export({ type: 'spki', format: 'pem' }),
  );
  upstream = await startHostileUpstream(names.map((name) => tool(name)));
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    log,
    rest: `
tools:
  - { match: kept_none, capture: none }
  - { match: kept_hash, capture: hash }
  - match: kept_fields
    capture: redacted
    fields: { /amount: keep, /account: hash, /card: mask, /lines/*/sku: keep, /note: keep }
  - { match: "kept_sealed", capture: encrypted, fields: { /password: drop } }
  - { match: "hidden_sealed", capture: encrypted, show: hidden }
  - { match: kept_if, when: "args.amount > 100.0", capture: none }
  - { match: kept_if, capture: encrypted }
  - { match: unknown_none, capture: none }
  - { match: unknown_sealed, capture: encrypted }
  - { match: "*", scope: mcp:tools:read }
limits: { client: 1000/min }
audit:
  auditorKey: { file: ${join(elsewhere, 'auditor.pub.pem')} }
  also: [ { file: ${join(elsewhere, 'copy.jsonl')} } ]`,
  });
  token = await test.token('mcp:tools:read', { org: 'acme' });
  upstream.answer(good);
});

after(async () => {
  await test.close();
  await upstream.close();
  await rm(elsewhere, { recursive: true, force: true });
});

/** All that the gateway has written by now: the store with its WAL, the copy, the log. */
function everythingWritten(): string {
  const files = [test.dataDir, elsewhere].flatMap((directory) =>
    readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name))),
  );
  const texts = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, 'latin1'));
  return [...texts, ...said].join('\n');
}

async function recordOf(response: Response): Promise<AuditRecord> {
  const id = response.headers.get('x-request-id');
  let found: AuditRecord | undefined;
  await until(async () => {
    found = (await test.records()).find(({ request_id }) => request_id === id);
    assert.ok(found, 'no record');
  });
  return found as AuditRecord;
}

const canary = () => `CANARY${randomBytes(9).toString('hex')}`;

/** Canaries in names and values, in every place that a caller can choose. */
function laden() {
  const [value, name, nested, listed] = [canary(), canary(), canary(), canary()];
  const args = {
    [name]: 1,
    text: value,
    deep: { deeper: { [nested]: nested } },
    list: [listed, { [listed]: 1 }],
  };
  return { args, canaries: [value, name, nested, listed] };
}

describe('with none and hash not a byte of the arguments is written', () => {
  for (const name of ['kept_none', 'kept_hash', 'unsaid']) {
    it(name, async () => {
      const { args, canaries } = laden();
      const response = await callTool(test.url, token, name, args);
      assert.equal(response.status, 200);
      const record = await recordOf(response);
      assert.equal(record.capture, name === 'kept_none' ? 'none' : 'hash');
      assert.equal(record.arguments, null);
      if (name === 'kept_none') assert.equal(record.arguments_hash ?? record.result_hash, null);
      else assert.match(record.arguments_hash ?? '', /^hmac-sha256:/);
      const written = everythingWritten();
      for (const one of canaries) assert.ok(!written.includes(one));
      assert.ok(written.includes(name), 'the search looks in the right place');
    });
  }
});

describe('redacted', () => {
  it('keeps named fields and nothing else', async () => {
    const { args, canaries } = laden();
    const card = '4111111111111234';
    const named = {
      amount: 12,
      account: 'DE8937',
      card,
      lines: [{ sku: 'a1', [canaries[0] ?? '']: canaries[0] }],
    };
    const record = await recordOf(await callTool(test.url, token, 'kept_fields', { ...args, ...named }));
    const kept = JSON.parse(record.arguments ?? '');
    assert.match(kept.account, /^hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}$/);
    assert.deepEqual(
      { ...kept, account: '' },
      { amount: 12, account: '', card: '…1234', lines: [{ sku: 'a1' }] },
    );
    assert.equal(record.capture, 'redacted');
    assert.ok((record.redactions ?? 0) >= 6);
    const written = everythingWritten();
    for (const one of [...canaries, 'DE8937', card]) assert.ok(!written.includes(one));
  });

  it('does not keep a credential in a named field, nor a control character', async () => {
    const secret = `sk-${canary()}`;
    const note = `\u001b[31m\n${secret} Bearer ${canary()} \u202e`;
    const record = await recordOf(await callTool(test.url, token, 'kept_fields', { note }));
    assert.match(record.arguments ?? '', /\[key\] Bearer \[redacted\]/);
    assert.match(record.arguments ?? '', /^[ -~]*$/);
    assert.ok(!everythingWritten().includes(secret));
  });

  it('the same value hashes alike in every call, and otherwise in every organization', async () => {
    const hashOf = async (org: string, args: object) => {
      const other = await test.token('mcp:tools:read', { org });
      const record = await recordOf(await callTool(test.url, other, 'kept_fields', { ...args }));
      return JSON.parse(record.arguments ?? '').account as string;
    };
    const first = await hashOf('acme', { account: { b: 1, a: 2 }, amount: 1 });
    assert.equal(await hashOf('acme', { amount: 2, account: { a: 2, b: 1 } }), first);
    assert.notEqual(await hashOf('rival', { account: { a: 2, b: 1 } }), first);
  });
});

describe('encrypted', () => {
  it('writes nothing in clear; the auditor reads all but what a rule drops', async () => {
    const { args, canaries } = laden();
    const password = canary();
    const response = await callTool(test.url, token, 'kept_sealed', { ...args, password });
    const record = await recordOf(response);
    const written = everythingWritten();
    for (const one of [...canaries, password]) {
      assert.ok(!written.includes(one));
      assert.ok(!written.includes(Buffer.from(one).toString('base64url').slice(0, 16)));
    }
    const opening = await openSealed(
      record.arguments ?? '',
      { request_id: record.request_id, server: 'notes', tool: 'kept_sealed' },
      await readAuditorKeys([privateKey]),
    );
    assert.ok(opening.opened);
    assert.deepEqual(opening.content, { tool: 'kept_sealed', arguments: args, redacted: true, cut: false });
    assert.equal(record.capture, 'encrypted');
    assert.match(record.arguments_hash ?? '', /^hmac-sha256:/);
  });

  it('is bounded, whatever comes', async () => {
    const args = Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`k${at}`, 'x'.repeat(300)]));
    const record = await recordOf(await callTool(test.url, token, 'kept_sealed', args));
    assert.ok((record.arguments?.length ?? 0) > 1_000 && (record.arguments?.length ?? 0) < 72_000);
  });

  it('is the same in intent and outcome', async () => {
    const response = await callTool(test.url, token, 'kept_sealed', { a: 1 });
    const record = await recordOf(response);
    const copies = readFileSync(join(elsewhere, 'copy.jsonl'), 'utf8').split('\n').filter(Boolean);
    const both = copies
      .map((line) => JSON.parse(line))
      .filter(({ request_id: id }) => id === record.request_id);
    assert.deepEqual(
      both.map(({ phase, arguments: sealed }) => [phase, sealed]),
      [
        ['intent', record.arguments],
        ['outcome', record.arguments],
      ],
    );
  });
});

describe('calls that are refused', () => {
  it('a stranger has nothing captured but a hash, and not that where a rule keeps none', async () => {
    for (const [name, capture] of [
      ['kept_sealed', 'hash'],
      ['kept_fields', 'hash'],
      ['kept_none', 'none'],
      ['kept_if', 'none'],
      ['unknown_none', 'none'],
      ['unknown_sealed', 'hash'],
    ] as const) {
      const { args, canaries } = laden();
      const response = await callTool(test.url, 'no-token', name, { ...args, amount: 5 });
      assert.equal(response.status, 401);
      const record = await recordOf(response);
      assert.deepEqual(
        [record.capture, record.arguments, record.arguments_hash === null],
        [capture, null, capture === 'none'],
        name,
      );
      for (const one of canaries) assert.ok(!everythingWritten().includes(one));
    }
  });

  it('for want of a scope a call is kept as the rule says', async () => {
    const poor = await test.token('mcp:resources:read');
    const { args, canaries } = laden();
    const record = await recordOf(await callTool(test.url, poor, 'kept_fields', { ...args, amount: 3 }));
    assert.equal(record.reason, 'scope_missing');
    assert.equal(record.arguments, '{"amount":3}');
    const sealed = await recordOf(await callTool(test.url, poor, 'kept_sealed', args));
    assert.equal(sealed.capture, 'encrypted');
    for (const one of canaries) assert.ok(!everythingWritten().includes(one));
  });

  it('a tool that is hidden or not there is kept as one that nobody knows', async () => {
    for (const name of ['hidden_sealed', 'unknown_sealed', 'no_such_tool']) {
      const record = await recordOf(await callTool(test.url, token, name, { a: canary() }));
      assert.deepEqual(
        [record.capture, record.arguments, record.reason],
        ['hash', null, 'unknown_tool'],
        name,
      );
    }
    const none = await recordOf(await callTool(test.url, token, 'unknown_none', { a: 1 }));
    assert.deepEqual([none.capture, none.arguments_hash], ['none', null]);
  });

  it('arguments that are no message leave nothing', async () => {
    const secret = canary();
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"kept_fields","arguments":{"note":"a","note":"${secret}"}}}`;
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
    };
    const record = await recordOf(await fetch(test.url, { method: 'POST', headers, body }));
    assert.equal(record.reason, 'malformed_json');
    const deep = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"kept_fields","arguments":{"note":${'['.repeat(500)}"${secret}"${']'.repeat(500)}}}}`;
    assert.equal(
      (await recordOf(await fetch(test.url, { method: 'POST', headers, body: deep }))).reason,
      'malformed_json',
    );
    assert.ok(!everythingWritten().includes(secret));
  });
});

describe('a condition', () => {
  it('chooses what is kept, and keeps the least where it cannot be decided', async () => {
    const captureOf = async (args: Record<string, unknown>) =>
      (await recordOf(await callTool(test.url, token, 'kept_if', args))).capture;
    assert.equal(await captureOf({ amount: 500.5 }), 'none');
    assert.equal(await captureOf({ amount: 5.5 }), 'encrypted');
    assert.equal(await captureOf({ amount: 'x' }), 'none');
    assert.equal(await captureOf({}), 'none');
  });
});

describe('the hash of a result', () => {
  it('is of what was sent, keyed, and no hash of arguments', async () => {
    for (const streamed of [false, true]) {
      upstream.answer(({ response, message }) => {
        const text = JSON.stringify({
          jsonrpc: '2.0',
          id: message.id,
          result: { content: [], structuredContent: { streamed } },
        });
        response.setHeader('content-type', streamed ? 'text/event-stream' : 'application/json');
        response.end(streamed ? `event: message\ndata: ${text}\n\n` : text);
      });
      const response = await callTool(test.url, token, 'kept_hash', {});
      const bytes = await response.bytes();
      const record = await recordOf(response);
      assert.equal(record.result_hash, resultHash(bytes, 'acme'));
      assert.notEqual(record.result_hash, record.arguments_hash);
    }
    upstream.answer(good);
  });

  it('is absent where nothing of the server was sent', async () => {
    upstream.answer(({ response }) =>
      response.setHeader('content-type', 'application/json').end('{"no":"answer"}'),
    );
    const response = await callTool(test.url, token, 'kept_hash', {});
    assert.equal(response.status, 502);
    assert.equal((await recordOf(response)).result_hash, null);
    upstream.answer(good);
  });
});

/** As docs/audit.md says it, from the keys in the data directory. */
function resultHash(bytes: Uint8Array, organization: string): string {
  const { hashing } = JSON.parse(readFileSync(join(test.dataDir, 'audit-keys.json'), 'utf8'));
  const [{ id, secret }] = hashing;
  const { hkdfSync, createHash } = process.getBuiltinModule('node:crypto');
  const info = `portcullis result v1\n${createHash('sha256').update(organization).digest('hex')}`;
  const key = new Uint8Array(hkdfSync('sha256', Buffer.from(secret, 'base64'), '', info, 32));
  return `hmac-sha256:${id}:${createHmac('sha256', key).update(bytes).digest('hex')}`;
}
