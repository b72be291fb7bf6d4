import { startFixtureServer } from '../support/fixture-server/index.ts';
import { describeBehaviours } from './behaviours.ts';

// What fails here is the fixture's or the SDK's, not the gateway's.
describeBehaviours('official clients and the fixture, without the gateway', async () => {
  const fixture = await startFixtureServer();
  return { url: fixture.url, fixture, close: fixture.close };
});
