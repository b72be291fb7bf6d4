import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { allScopes, callTool, modernCall, rpc, startTestGateway, until } from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';

describe('when the audit store takes nothing', () => {
  it('no call leaves, all are refused with 503, and afterwards each has its record', {
    timeout: 60_000,
  }, async () => {
    const upstream = await startFixtureServer();
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: 'limits: { concurrent: { client: 4, upstream: 4 } }',
    });
    const lock = new DatabaseSync(join(test.dataDir, 'audit.db'));
    try {
      const token = await test.token(allScopes);
      assert.equal((await callTool(test.url, token, 'echo', { text: 'x' })).status, 200);
      await test.records();
      const seen = upstream.requests.length;
      lock.exec('BEGIN EXCLUSIVE');
      // The first ones wait as long as the store waits for the lock, then all are refused at once.
      const waiting = await Promise.all(
        [1, 2, 3].map(() => callTool(test.url, token, 'echo', { text: 'x' })),
      );
      const more = [
        await callTool(test.url, token, 'delete_note', { name: 'x' }),
        await modernCall(test.url, token, { method: 'tools/list' }),
        await modernCall(test.url, token, { method: 'ping' }),
      ];
      for (const answer of [...waiting, ...more]) {
        assert.equal(answer.status, 503);
        assert.ok(answer.headers.get('retry-after'));
        const { error } = await rpc(answer);
        assert.deepEqual(
          [error?.message, error?.data?.['reason']],
          ['The call cannot be recorded at the moment', 'audit_unavailable'],
        );
      }
      assert.equal((await fetch(`${test.origin}/readyz`)).status, 503);
      assert.equal(
        (await callTool(test.url, null, 'echo', {})).status,
        401,
        'who is not known does not learn of it',
      );
      assert.equal(upstream.requests.length, seen, 'a call left without a record');
      lock.exec('COMMIT');
      await until(
        async () => assert.equal((await callTool(test.url, token, 'echo', { text: 'x' })).status, 200),
        20_000,
      );
      const reasons = (await test.records()).map(({ reason }) => reason);
      assert.ok(reasons.filter((reason) => reason === 'audit_unavailable').length >= 6);
      assert.ok(reasons.includes('token_missing'));
    } finally {
      lock.close();
      await test.close();
      await upstream.close();
    }
  });
});
