import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { type Report, reportOf, runCheck, type TokenSet } from '../../src/check/index.ts';
import { type FaultName, startVulnerableServer } from './vulnerable/index.ts';
import { fullTokenSet } from './vulnerable/token-set.ts';

// What a sign-in brings is one token and a refresh token: a token for another server is asked for with that one.

async function check(faults: readonly FaultName[], change: (set: TokenSet) => TokenSet): Promise<Report> {
  const server = await startVulnerableServer({ faults });
  try {
    const run = await runCheck({
      target: new URL(server.url),
      clock: systemClock,
      version: 'test',
      timeLimitMs: 60_000,
      tokens: change(await fullTokenSet(server)),
      allowed: { burst: true, register: false, tools: [] },
      expectPublic: false,
      audit: null,
      lock: null,
      declared: null,
      mill: null,
      only: ['L01', 'L03', 'T08', 'T11'],
    });
    return reportOf(run, { version: 'test', suppressions: [] });
  } finally {
    await server.close();
  }
}

const asSignedIn = (set: TokenSet): TokenSet => ({
  ...set,
  tokens: set.tokens.good ? { good: set.tokens.good } : {},
});
const verdicts = ({ rows }: Report) => rows.map(({ id, verdict }) => `${id} ${verdict}`);

describe('T08 with a sign-in alone', () => {
  it('passes a server that looks at the audience, and leaves the grant to the other rows', async () => {
    assert.deepEqual(verdicts(await check([], asSignedIn)), ['T08 pass', 'T11 pass', 'L01 pass', 'L03 pass']);
  });

  it('fails one that does not', async () => {
    const report = await check(['any-audience'], asSignedIn);
    assert.deepEqual(
      report.findings.map(({ row, severity }) => `${row} ${severity}`),
      ['T08 critical'],
    );
  });

  it('is not tested without a refresh token', async () => {
    const report = await check([], (set) => ({ ...asSignedIn(set), refreshToken: null }));
    assert.equal(report.rows.find(({ id }) => id === 'T08')?.verdict, 'not-tested');
  });
});
