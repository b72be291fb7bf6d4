import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Report } from '../../src/check/index.ts';
import { run } from '../cli/support/run.ts';
import { clientSecret, startVulnerableServer, type VulnerableServer } from './vulnerable/index.ts';

/** Few rows, so that each run is short: A01 and A03 pass, A04 fails here and is low. */
const rows = ['--only', 'A01,A03,A04'];

describe('portcullis check, by its command line', () => {
  let server: VulnerableServer;
  let cwd: string;
  before(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'portcullis-check-'));
    server = await startVulnerableServer({ faults: ['challenge-without-scope'] });
  });
  after(async () => {
    await server.close();
    rmSync(cwd, { recursive: true, force: true });
  });
  const check = (parameters: readonly string[], { stdin = '', env = {} } = {}) =>
    run(['check', ...parameters], { cwd, env }, stdin);
  const file = (name: string) => readFileSync(join(cwd, name), 'utf8');

  it('ends with 0, 1, 2 and 3', async () => {
    const closed = 'http://127.0.0.1:9/mcp';
    const [clean, found, above, wrong, silent] = await Promise.all([
      check([server.url, '--only', 'A01,A03']),
      check([server.url, ...rows]),
      check([server.url, ...rows, '--fail-on', 'critical']),
      check([server.url, '--only', 'Z99']),
      check([closed, ...rows]),
    ]);
    const codes = [clean, found, above, wrong, silent].map(({ code }) => code);
    assert.deepEqual(
      codes,
      [0, 1, 0, 2, 3],
      [clean, found, above, wrong, silent].map((one) => one?.stderr).join(),
    );
  });

  it('writes each format to a file and nothing of it to the terminal', async () => {
    const starts = {
      terminal: /A04/,
      json: /^\{/,
      sarif: /^\{/,
      junit: /^<\?xml/,
      markdown: /^#/,
      html: /^<!doctype html>/i,
    };
    await Promise.all(
      Object.entries(starts).map(async ([format, start]) => {
        const { code, stdout } = await check([
          server.url,
          ...rows,
          '--format',
          format,
          '--output',
          `out.${format}`,
        ]);
        assert.equal(code, 1, format);
        assert.equal(stdout, '', format);
        assert.match(file(`out.${format}`), start, format);
      }),
    );
    const report = JSON.parse(file('out.json')) as Report;
    assert.deepEqual(
      report.findings.map(({ row }) => row),
      ['A04'],
    );
    assertSarif(JSON.parse(file('out.sarif')));
  });

  it('lives with what was suppressed, until the day', async () => {
    const entry = { row: 'A04', reason: 'the library of our partners breaks on it' };
    writeFileSync(join(cwd, 'in-force.json'), JSON.stringify([{ ...entry, until: '2999-01-01' }]));
    writeFileSync(join(cwd, 'over.json'), JSON.stringify([{ ...entry, until: '2020-01-01' }]));
    writeFileSync(join(cwd, 'wrong.json'), JSON.stringify([{ row: 'A04' }]));
    const codes = await Promise.all(
      ['in-force', 'over', 'wrong'].map(async (name) => {
        const { code } = await check([server.url, ...rows, '--suppress', `${name}.json`]);
        return code;
      }),
    );
    assert.deepEqual(codes, [0, 1, 2]);
  });

  it('compares tools with those of an earlier check', async () => {
    const stdin = await server.mint();
    const token = [server.url, '--token-stdin', '--only', 'D04'];
    const written = await check([...token, '--write-lock', 'lock.json'], { stdin });
    assert.match(file('lock.json'), /"delete_note"/, written.stderr);
    const same = await check([...token, '--lock', 'lock.json'], { stdin });
    assert.equal(same.code, 0, same.stdout);
    writeFileSync(join(cwd, 'lock.json'), file('lock.json').replace('"read_note"', '"renamed_note"'));
    const drifted = await check([...token, '--lock', 'lock.json'], { stdin });
    assert.equal(drifted.code, 1, drifted.stdout);
    assert.match(drifted.stdout, /renamed_note/);
  });

  it('checks a list of hosts, and sends none of them a token', async () => {
    writeFileSync(join(cwd, 'hosts'), `${server.url} # ours\n\nhttp://127.0.0.1:9/mcp\n`);
    const list = ['--host-list', 'hosts', '--only', 'A01,A03'];
    const { code, stdout } = await check(list);
    assert.equal(code, 3, stdout); // one of the two was not tested
    assert.ok(stdout.includes(server.url) && stdout.includes('127.0.0.1:9'), stdout);
    assert.equal((await check([...list, '--token-stdin'], { stdin: 'token' })).code, 2);
  });

  it('gets a token without a person', async () => {
    const machine = [server.url, '--client-credentials', '--client-id', 'ci', '--only', 'T05,T09'];
    const good = await check([...machine, '--client-secret', 'env:CI', '--json'], {
      env: { CI: clientSecret },
    });
    assert.equal(good.code, 0, good.stderr + good.stdout);
    const { rows: tested } = JSON.parse(good.stdout) as Report;
    assert.deepEqual(
      tested.map(({ verdict }) => verdict),
      ['pass', 'pass'],
    );
    assert.ok(!good.stdout.includes(clientSecret));
    const wrong = await check([...machine, '--client-secret', 'env:CI'], { env: { CI: 'wrong' } });
    assert.equal(wrong.code, 3, wrong.stderr);
    const plain = await check([...machine, '--client-secret', clientSecret]);
    assert.equal(plain.code, 2);
    assert.ok(!plain.stderr.includes(clientSecret));
  });
});

interface Sarif {
  readonly version: string;
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly name: string; readonly rules: readonly { id: string }[] } };
    readonly automationDetails: { readonly id: string };
    readonly invocations: readonly { readonly executionSuccessful: boolean; readonly startTimeUtc: string }[];
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation: { readonly artifactLocation: { readonly uri: string } };
      }[];
    }[];
  }[];
}

/** What the schema of SARIF 2.1.0 requires, and GitHub's code scanning besides. */
function assertSarif(value: unknown): void {
  const { version, runs } = value as Sarif;
  assert.equal(version, '2.1.0');
  for (const { tool, invocations, results } of runs) {
    assert.ok(tool.driver.name);
    assert.equal(new Set(tool.driver.rules.map(({ id }) => id)).size, tool.driver.rules.length);
    for (const { executionSuccessful, startTimeUtc } of invocations) {
      assert.equal(typeof executionSuccessful, 'boolean');
      assert.match(startTimeUtc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    }
    assert.ok(results.length > 0);
    for (const { ruleId, ruleIndex, level, message, locations } of results) {
      assert.equal(tool.driver.rules[ruleIndex]?.id, ruleId);
      assert.ok(['none', 'note', 'warning', 'error'].includes(level));
      assert.ok(message.text);
      assert.doesNotMatch(locations[0]?.physicalLocation.artifactLocation.uri ?? ' ', /[\s:]/);
    }
  }
}
