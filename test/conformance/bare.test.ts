import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { type Injector, startInjector } from '../support/injector.ts';
import { type Revision, requiredScenarios, runSuite } from './suite.ts';

// What the fixture and the relay cannot do, the gateway behind them could not be blamed for.
describe('the official conformance suite, without the gateway', () => {
  let fixture: FixtureServer;
  let injector: Injector;
  before(async () => {
    fixture = await startFixtureServer();
    injector = await startInjector({ to: new URL(fixture.url).origin, token: 'ignored' });
  });
  after(async () => {
    await injector.close();
    await fixture.close();
  });

  for (const revision of Object.keys(requiredScenarios) as Revision[]) {
    it(`passes every scenario of ${revision} on the fixture`, async (test) => {
      const result = await runSuite(fixture.url, revision);
      test.diagnostic(`${revision} bare: ${result.passed.length} of ${requiredScenarios[revision]}`);
      assert.deepEqual(result.failed, [], result.explanation);
      assert.equal(result.passed.length, requiredScenarios[revision]);
    });

    it(`passes every scenario of ${revision} through the relay`, async (test) => {
      const result = await runSuite(`${injector.origin}/mcp`, revision);
      test.diagnostic(`${revision} relayed: ${result.passed.length} of ${requiredScenarios[revision]}`);
      assert.deepEqual(result.failed, [], result.explanation);
      assert.equal(result.passed.length, requiredScenarios[revision]);
    });
  }
});
