import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import Draft4 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import {
  countingFindings,
  html,
  junit,
  markdown,
  type Probe,
  type Report,
  type Row,
  readSuppressions,
  reportOf,
  sarif,
  terminalLines,
} from '../../src/check/index.ts';

const nasty = '<script>alert(1)</script> & "quoted" \'single\' ]]> ```` | *bold* `code`';
const probe: Probe = {
  id: 'A04',
  title: 'A question',
  severity: 'low',
  mode: 'none',
  reference: 'RFC 6750',
  guideItems: [3],
  why: 'Because.',
  remedy: { words: 'Mend it.', portcullis: 'Does it.' },
  run: () => Promise.reject(new Error('not run here')),
};
const row: Row = {
  probe,
  verdict: { verdict: 'fail', problems: [{ text: nasty }], evidence: [] },
  evidence: [{ sent: nasty, received: nasty }],
};
const now = Date.parse('2026-11-25T12:00:00Z');
const run = {
  target: new URL('http://127.0.0.1:1/mcp'),
  rows: [row],
  requests: 1,
  incomplete: null,
  seconds: 1,
  at: now,
};
const report = (suppressions: readonly { row: string; reason: string; until: string }[] = []): Report =>
  reportOf(run, { version: '1.0.0', suppressions });

describe('reports of hostile text', () => {
  it('HTML has no markup of the server, no script, and a policy that allows none', () => {
    const page = html(report());
    assert.doesNotMatch(page, /<script|onerror|javascript:/i);
    assert.match(page, /default-src &#39;none&#39;; style-src &#39;sha256-/);
    assert.ok(page.includes('&#60;script&#62;'));
  });

  it('XML is well-formed where it matters', () => {
    const text = junit(report());
    assert.match(text, /failures="1"/);
    assert.doesNotMatch(text.replace(/<\/?(testsuites?|testcase|failure|skipped|\?xml)[^<>]*>/g, ''), /[<>]/);
  });

  it('Markdown keeps it in fences and escapes it in sentences', () => {
    const text = markdown(report());
    assert.ok(text.includes('`````text'));
    assert.doesNotMatch(text.replace(/`````text[\s\S]*?`````/g, ''), /<script/);
  });

  it('SARIF is valid by the schema of OASIS, with findings, suppressions and an early end', () => {
    const ajv = new Draft4.default({ strict: false, allErrors: true });
    addFormats.default(ajv);
    const schema = readFileSync(join(import.meta.dirname, 'sarif', 'sarif-schema-2.1.0.json'), 'utf8');
    const validate = ajv.compile(JSON.parse(schema) as object);
    const suppressed = report([{ row: 'A04', reason: 'our partners break on it', until: '2999-01-01' }]);
    const untested: Row = {
      ...row,
      verdict: { verdict: 'not-tested', because: nasty, needs: '--login', evidence: [] },
    };
    const ended = reportOf(
      { ...run, rows: [untested], incomplete: 'the run was stopped' },
      { version: '1.0.0', suppressions: [] },
    );
    for (const one of [report(), suppressed, ended])
      assert.ok(validate(JSON.parse(JSON.stringify(sarif(one)))), JSON.stringify(validate.errors));
    const wrong = { ...sarif(report()), version: '2.0.0' };
    assert.ok(!validate(JSON.parse(JSON.stringify(wrong))));
  });

  it('SARIF has what code scanning needs', () => {
    const log = sarif(report()) as {
      version: string;
      runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[] }[];
    };
    assert.equal(log.version, '2.1.0');
    const [first] = log.runs;
    const result = first?.results[0];
    assert.equal(result?.['ruleId'], 'A04');
    assert.equal(first?.tool.driver.rules[Number(result?.['ruleIndex'])]?.id, 'A04');
    assert.deepEqual(Object.keys(result?.['partialFingerprints'] ?? {}), ['portcullisCheck/v1']);
  });

  it('a terminal line has at most 80 columns, words that are longer aside', () => {
    const plain = { strong: (text: string) => text, faint: (text: string) => text };
    for (const line of terminalLines(report(), plain)) {
      assert.ok(line.length <= 80 || !line.trim().includes(' '), line);
    }
  });

  it('has the same ids in every run', () => {
    assert.equal(report().findings[0]?.id, report().findings[0]?.id);
    assert.match(report().findings[0]?.id ?? '', /^A04-[0-9a-f]{12}$/);
  });
});

describe('suppressions', () => {
  const one = { row: 'A04', reason: 'our partners break on it', until: '2026-11-25' };

  it('count until the end of their last day', () => {
    assert.equal(countingFindings(report([one]), 'low').length, 0);
    assert.equal(report([one]).summary.suppressed, 1);
  });

  it('count no more afterwards, and are themselves a failure', () => {
    const late = report([{ ...one, until: '2026-11-24' }]);
    assert.equal(countingFindings(late, 'low').length, 1);
    assert.equal(late.expiredSuppressions.length, 1);
  });

  it('need a row that exists, a reason and a day', () => {
    for (const bad of [
      { ...one, row: 'Z99' },
      { ...one, reason: 'short' },
      { ...one, until: '2026-02-30' },
      { ...one, until: 'never' },
      { ...one, more: 1 },
    ])
      assert.ok('faults' in readSuppressions(JSON.stringify([bad]), ['A04']), JSON.stringify(bad));
    assert.deepEqual(readSuppressions(JSON.stringify([one]), ['A04']), [one]);
  });
});

describe('a server of which nothing can be tested', () => {
  const lines = (needs: string | null): string => {
    const verdict = { verdict: 'not-tested', because: 'it cannot be asked', needs, evidence: [] } as const;
    const silent = { ...run, rows: [{ probe, verdict, evidence: [] }] };
    const text = (line: string) => line;
    const shown = reportOf(silent, { version: '1.0.0', suppressions: [] });
    return terminalLines(shown, { strong: text, faint: text }).join('\n');
  };

  it('is told of in a few lines', () => {
    assert.match(lines(null), /Nothing could be tested\n {2}because {2}it cannot be asked\n {2}do /);
    assert.doesNotMatch(lines(null), /A question|Before it goes live/);
  });

  it('is told of in full where something can be given', () => {
    assert.match(lines('--token-stdin'), /A question[\s\S]*give --token-stdin/);
  });
});
