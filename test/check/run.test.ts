import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { noTokens, type RunOptions, reportOf, runCheck } from '../../src/check/index.ts';

async function serve(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
}

function options(target: URL, more: Partial<RunOptions> = {}): RunOptions {
  return {
    target,
    clock: systemClock,
    version: 'test',
    timeLimitMs: 60_000,
    paceMs: 0,
    tokens: noTokens,
    allowed: { burst: false, register: false, tools: [] },
    expectPublic: false,
    audit: null,
    lock: null,
    declared: null,
    mill: null,
    ...more,
  };
}

const report = async (target: URL, more: Partial<RunOptions> = {}) =>
  reportOf(await runCheck(options(target, more)), { version: 'test', suppressions: [] });

const answersAnybody: RequestListener = (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [] } }));
};

describe('a run', () => {
  it('passes nothing where nobody answers', async (t) => {
    const target = await serve(t, (request) => request.socket.destroy());
    const { summary } = await report(target);
    assert.equal(summary.passed + summary.failed, 0);
    assert.ok(summary.notTested > 0);
  });

  it('calls an open server open, and does not count what that makes meaningless', async (t) => {
    const { findings, rows } = await report(await serve(t, answersAnybody));
    assert.equal(findings[0]?.row, 'A01');
    assert.equal(findings[0]?.severity, 'critical');
    for (const id of ['T01', 'T02', 'T03', 'T04'])
      assert.equal(rows.find((row) => row.id === id)?.verdict, 'not-tested', id);
  });

  it('takes a server that is open on purpose at its word', async (t) => {
    const { rows } = await report(await serve(t, answersAnybody), { expectPublic: true, only: ['A01'] });
    assert.equal(rows[0]?.verdict, 'pass');
  });

  it('ends in its time, and what it did not reach is not tested', async (t) => {
    const target = await serve(t, (_request, response) => {
      setTimeout(() => response.writeHead(401).end(), 300);
    });
    const { rows, seconds } = await report(target, { timeLimitMs: 1500 });
    assert.ok(seconds < 30, `${seconds}`);
    assert.ok(rows.some(({ text }) => text === 'the time of the run was over'));
  });
});
