import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Secret, systemClock } from '../../src/base/index.ts';
import { noTokens, reportOf, runCheck, terminalLines } from '../../src/check/index.ts';
import { hostileNames, startHostileServer } from './hostile/server.ts';

const token = `${'e'.repeat(40)}.${'f'.repeat(40)}.${'0'.repeat(43)}`;
const timeLimitMs = 8_000;
const megabyte = 1024 * 1024;
const plain = { strong: (text: string) => text, faint: (text: string) => text };

describe('a server that means harm', { concurrency: 4 }, () => {
  for (const name of hostileNames) {
    it(`${name}: ends in time, keeps its memory, its token and the terminal`, {
      timeout: 90_000,
    }, async () => {
      const server = await startHostileServer(name);
      const before = process.memoryUsage().rss;
      try {
        const run = await runCheck({
          target: new URL(server.url),
          clock: systemClock,
          version: 'test',
          timeLimitMs,
          tokens: { ...noTokens, tokens: { good: { name: 'good', secret: new Secret(token) } } },
          allowed: { burst: true, register: true, tools: [] },
          expectPublic: false,
          audit: null,
          lock: null,
          declared: null,
          mill: null,
        });
        assert.ok(run.seconds < 4 * (timeLimitMs / 1000), `${run.seconds} s`);
        assert.ok(process.memoryUsage().rss - before < 400 * megabyte, 'memory');
        for (const { path, authorization } of server.tokens)
          assert.ok(!authorization.includes(token) || path === '/mcp', `the token went to ${path}`);
        const report = reportOf(run, { version: 'test', suppressions: [] });
        for (const line of terminalLines(report, plain)) assertPlain(line);
        assertPlain(JSON.stringify(report));
        assert.ok(!JSON.stringify(report).includes(token), 'the token is in the report');
      } finally {
        await server.close();
      }
    });
  }
});

/** Nothing that a terminal obeys, or that turns text around. */
function assertPlain(text: string): void {
  assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u);
}
