import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brief, faultsOf, load, smallest } from './support/workspace.ts';

const also = (...entries: string[]) => `${smallest}audit: { also: [ ${entries.join(', ')} ] }\n`;

describe('copies of the audit trail', () => {
  it('are read with their defaults', async (t) => {
    const { config } = await load(
      t,
      also('{ file: logs/a.jsonl }', '{ stdout: true }', '{ otlp: "http://127.0.0.1:4318" }'),
    );
    const [file, stdout, otlp] = config.audit.also;
    assert.equal(file?.kind === 'file' && file.file.endsWith('/logs/a.jsonl'), true);
    assert.equal(file?.overflow, 'drop');
    assert.deepEqual(stdout, { kind: 'stdout', overflow: 'drop', queueRecords: 20_000 });
    assert.deepEqual(otlp, {
      kind: 'otlp',
      url: 'http://127.0.0.1:4318',
      headers: {},
      timeoutMs: 10_000,
      overflow: 'drop',
      queueRecords: 20_000,
    });
  });

  const refused: readonly [string, RegExp, string][] = [
    [
      'a webhook in plain text',
      /plain http|https/,
      '{ webhook: { url: "http://hooks.example.com/x", secret: { env: A } } }',
    ],
    ['a webhook without a secret', /webhook\.secret/, '{ webhook: { url: "https://hooks.example.com/x" } }'],
    [
      'a secret in the file',
      /secret/,
      '{ webhook: { url: "https://hooks.example.com/x", secret: whsec_abcdef } }',
    ],
    [
      'a header in the file',
      /headers/,
      '{ otlp: "http://127.0.0.1:4318", headers: { authorization: "Bearer abcdefgh" } }',
    ],
    [
      'a header that we sign with',
      /webhook-id/,
      '{ webhook: { url: "https://h.example", secret: { env: A }, headers: { webhook-id: { env: A } } } }',
    ],
    ['two kinds at once', /also\[0\]/, '{ file: a, stdout: true }'],
    ['an overflow that is none', /overflow/, '{ stdout: true, overflow: lose }'],
    ['one place twice', /listed above/, '{ file: a.jsonl }, { file: ./a.jsonl }'],
  ];
  for (const [what, reason, entry] of refused) {
    it(`refuse ${what}`, async (t) => {
      const faults = await faultsOf(t, also(entry));
      assert.ok(
        faults.some(({ path, message, hint }) => reason.test(`${path} ${message} ${hint}`)),
        brief(faults).join('; '),
      );
    });
  }
});
