import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { good, startHostileUpstream } from '../attacks/hostile-upstream.ts';
import { allScopes, callTool, modernCall, startTestGateway } from '../gateway/support.ts';

describe('a shutdown that cannot wait any longer', () => {
  it('cuts answers that are not whole, and ends in order what was only listened to', async () => {
    const upstream = await startHostileUpstream();
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: 'http: { drainSeconds: 0 }',
    });
    try {
      const token = await test.token(allScopes);
      upstream.answer(({ response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"a":1}\n\n');
      });
      const listening = await modernCall(test.url, token, {
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true } },
      });
      const calling = await callTool(test.url, token, 'echo');
      const [heard, answered] = [listening.text(), calling.text()];
      const cut = assert.rejects(answered, 'half an answer passed for a whole one');
      await test.gateway.close();
      assert.equal(await heard, 'data: {"a":1}\n\n');
      await cut;
      const records = await test.records();
      assert.deepEqual(records.map(({ method, result, reason }) => `${method} ${result} ${reason}`).sort(), [
        'subscriptions/listen success ok',
        'tools/call error shutting_down',
      ]);
    } finally {
      upstream.answer(good);
      await test.close();
      await upstream.close();
    }
  });
});
