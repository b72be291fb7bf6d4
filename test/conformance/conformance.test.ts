import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type IssuedGateway, startIssuedGateway } from '../clients/gateway.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { type Injector, startInjector } from '../support/injector.ts';
import { type Revision, requiredScenarios, runSuite } from './suite.ts';

describe('the official conformance suite, through the gateway', () => {
  let fixture: FixtureServer;
  let injector: Injector;
  let issued: IssuedGateway;
  before(async () => {
    fixture = await startFixtureServer();
    injector = await startInjector();
    issued = await startIssuedGateway({ url: fixture.url }, { publicUrl: injector.origin });
    injector.relayTo(issued.gateway.origin);
    injector.useToken(await issued.token());
  });
  after(async () => {
    await injector.close();
    await issued.close();
    await fixture.close();
  });

  it('lets nobody through without the token', async () => {
    const answer = await fetch(`${issued.gateway.origin}/mcp`, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 401);
    assert.equal(fixture.requests.filter(({ body }) => body === '{}').length, 0);
  });

  for (const revision of Object.keys(requiredScenarios) as Revision[])
    it(`passes every scenario of ${revision}`, async (test) => {
      const result = await runSuite(`${injector.origin}/mcp`, revision);
      test.diagnostic(
        `${revision} through the gateway: ${result.passed.length} of ${requiredScenarios[revision]}`,
      );
      assert.deepEqual(result.failed, [], result.explanation);
      assert.equal(result.passed.length, requiredScenarios[revision]);
    });
});
