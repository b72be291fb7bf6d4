import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { type Injector, startInjector } from '../support/injector.ts';
import { type GatewayProcess, obtainToken, startGatewayProcess } from './gateway-process.ts';
import { type Revision, requiredScenarios, runSuite } from './suite.ts';

describe('the official conformance suite, through the gateway', () => {
  let fixture: FixtureServer;
  let injector: Injector;
  let gateway: GatewayProcess;
  before(async () => {
    fixture = await startFixtureServer();
    injector = await startInjector();
    gateway = await startGatewayProcess({ publicUrl: injector.origin, upstream: { url: fixture.url } });
    injector.relayTo(gateway.origin);
    injector.useToken(await obtainToken(gateway.ready.servers[0]?.url ?? ''));
  });
  after(async () => {
    await injector.close();
    await gateway.close();
    await fixture.close();
  });

  it('lets nobody through without the token', async () => {
    const before = fixture.requests.length;
    const answer = await fetch(`${gateway.origin}/mcp`, { method: 'POST', body: '{}' });
    assert.ok([401, 403].includes(answer.status), `${answer.status}`);
    assert.equal(fixture.requests.length, before);
  });

  for (const revision of Object.keys(requiredScenarios) as Revision[])
    it(`passes every scenario of ${revision}`, async (test) => {
      const result = await runSuite(`${injector.origin}/mcp`, revision);
      const count = `${result.passed.length} of ${requiredScenarios[revision]}`;
      test.diagnostic(`${revision} through the gateway: ${count}`);
      assert.deepEqual(result.failed, [], result.explanation);
      assert.equal(result.passed.length, requiredScenarios[revision]);
    });
});
