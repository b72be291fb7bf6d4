import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey, createSecretKey, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { keyedHasher, plainHasher } from '../../src/audit/arguments-hash.ts';
import { chainNext, chainStart } from '../../src/audit/chain.ts';
import { openCheckpoint, parseVerifierKey, signCheckpoint } from '../../src/audit/note.ts';
import { ChainCheck } from '../../src/audit/verify/chains.ts';
import type { JsonObject } from '../../src/protocol/index.ts';

interface Entry {
  readonly position: number;
  readonly text: string;
  readonly hash: string;
}

interface Broken {
  readonly what: string;
  readonly found: string;
  readonly edit?: { readonly position: number; readonly from: string; readonly to: string };
  readonly remove?: number;
  readonly swap?: readonly [number, number];
  readonly writer?: string;
}

interface Vectors {
  readonly chain: { readonly writer: string; readonly start: string; readonly entries: readonly Entry[] };
  readonly checkpoint: {
    readonly writer: string;
    readonly position: number;
    readonly hash: string;
    readonly time: string;
    readonly seed: string;
    readonly verifier: string;
    readonly note: string;
  };
  readonly arguments: {
    readonly id: string;
    readonly key: string;
    readonly cases: readonly {
      readonly organization: string | null;
      readonly tool: string;
      readonly arguments: JsonObject;
      readonly info: string;
      readonly text: string;
      readonly hash: string;
      readonly plain: string;
    }[];
  };
  readonly broken: readonly Broken[];
}

const file = new URL('../vectors/audit/chain.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
const { chain, checkpoint } = vectors;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const verifier = parseVerifierKey(checkpoint.verifier);

test('the chain, by the page and by the product', () => {
  assert.equal(sha256(`portcullis audit chain v1\n${chain.writer}`), chain.start);
  assert.equal(chainStart(chain.writer), chain.start);
  let before = chain.start;
  for (const { text, hash } of chain.entries) {
    assert.equal(sha256(`portcullis audit entry v1\n${before}\n${text}`), hash);
    assert.equal(chainNext(before, text), hash);
    before = hash;
  }
});

test('the checkpoint: signed with the test key it is the same note, and the public key opens it', () => {
  const { seed, note, verifier: text, ...about } = checkpoint;
  // RFC 8410 section 7: what stands before the 32 bytes of an Ed25519 private key.
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex');
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  assert.ok(verifier);
  assert.equal(text.split('+')[1], verifier.id);
  assert.equal(signCheckpoint(about, { id: verifier.id, key }), note);
  assert.deepEqual(openCheckpoint(note, [verifier]), about);
  assert.equal(openCheckpoint(note.replace('\n4\n', '\n3\n'), [verifier]), 'bad signature');
});

test('hashes of arguments, by the page and by the product', () => {
  const { id, key, cases } = vectors.arguments;
  const secret = Buffer.from(key, 'hex');
  const hash = keyedHasher({ id, key: createSecretKey(secret) });
  for (const one of cases) {
    const derived = new Uint8Array(hkdfSync('sha256', secret, '', one.info, 32));
    const hex = createHmac('sha256', derived).update(one.text).digest('hex');
    assert.equal(`hmac-sha256:${id}:${hex}`, one.hash);
    assert.equal(hash(one), one.hash);
    assert.equal(plainHasher(one), one.plain);
  }
});

function changed({ edit, remove, swap, writer = chain.writer }: Broken) {
  const rows = chain.entries.map((entry) => ({ ...entry, writer }));
  if (edit) {
    return rows.map((row) =>
      row.position === edit.position ? { ...row, text: row.text.replace(edit.from, edit.to) } : row,
    );
  }
  if (swap) {
    const [one, other] = swap;
    const at = new Map([
      [one, other],
      [other, one],
    ]);
    return rows.map((row) => rows[(at.get(row.position) ?? row.position) - 1] ?? row);
  }
  return rows.filter(({ position }) => position !== remove);
}

test('what is broken is found, and what is whole is not', () => {
  const findings = (rows: ReturnType<typeof changed>) => {
    const check = new ChainCheck(verifier ? [verifier] : []);
    for (const row of rows) check.row(row);
    return check.findings.map(({ kind }) => kind as string);
  };
  assert.deepEqual(findings(changed({ what: 'nothing', found: '' })), []);
  for (const one of vectors.broken) assert.ok(findings(changed(one)).includes(one.found), one.what);
});
