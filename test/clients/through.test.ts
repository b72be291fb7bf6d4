import { startFixtureServer } from '../support/fixture-server/index.ts';
import { describeBehaviours } from './behaviours.ts';
import { startIssuedGateway } from './gateway.ts';

describeBehaviours('official clients and the fixture, through the gateway', async () => {
  const fixture = await startFixtureServer();
  const { gateway, token, close } = await startIssuedGateway({ url: fixture.url });
  return {
    url: `${gateway.origin}/mcp`,
    fixture,
    token: await token(),
    async close() {
      await close();
      await fixture.close();
    },
  };
});
