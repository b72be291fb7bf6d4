import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Report, reportOf, runCheck } from '../../src/check/index.ts';
import { type FullSet, startFullSet } from './gateway/full-set.ts';
import { verdictsOf, writtenVerdicts } from './written.ts';

describe('check of our own gateway, with everything that it can be given', () => {
  let set: FullSet;
  let report: Report;
  before(async () => {
    set = await startFullSet();
    report = reportOf(await runCheck(set.options), { version: 'test', suppressions: [] });
  });
  after(() => set.close());

  it('finds nothing, observed or declared', () => {
    assert.deepEqual(
      report.findings.map(({ row, problems }) => ({ row, problems })),
      [],
    );
  });

  it('leaves nothing untested', () => {
    const open = report.rows
      .filter(({ verdict }) => verdict === 'not-tested')
      .map(({ id, text }) => `${id} ${text}`);
    assert.deepEqual(open, []);
  });

  it('says what docs/check/portcullis.md says', () => {
    assert.deepEqual(verdictsOf(report), writtenVerdicts('portcullis'));
  });

  it('shows no credential', () => {
    const text = JSON.stringify(report);
    for (const token of Object.values(set.options.tokens.tokens)) {
      const signature = token.secret.reveal().split('.').at(-1) ?? '';
      assert.ok(!text.includes(signature), token.name);
    }
    assert.doesNotMatch(text, /eyJ[\w-]{10,}\./);
  });
});
