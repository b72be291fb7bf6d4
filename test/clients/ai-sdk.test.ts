import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { auth, createMCPClient, type OAuthClientProvider, UnauthorizedError } from '@ai-sdk/mcp';
import { alice, signInAndConsent } from '../authorization-server/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { generousLimits, startTestGateway, type TestGateway } from './gateway.ts';
import { createProvider } from './provider.ts';

describe('@ai-sdk/mcp, from 401 to a call', () => {
  let fixture: FixtureServer;
  let gateway: TestGateway;
  before(async () => {
    fixture = await startFixtureServer();
    gateway = await startTestGateway({
      accounts: [{ ...alice, role: 'admin' }],
      config: { servers: { only: { upstream: { url: fixture.url } } }, limits: generousLimits },
    });
  });
  after(async () => {
    await gateway.close();
    await fixture.close();
  });

  it('registers, signs in, lists and calls', async () => {
    const url = gateway.servers[0]?.url ?? '';
    const general = createProvider((authorization) => signInAndConsent(authorization, alice));
    // The same members under narrower types.
    const provider = general as typeof general & OAuthClientProvider;
    const transport = { type: 'http' as const, url, authProvider: provider };
    await assert.rejects(createMCPClient({ transport }), (error) => error instanceof UnauthorizedError);
    const callback = provider.takeCallback();
    const result = await auth(provider, {
      serverUrl: url,
      authorizationCode: callback.get('code') ?? '',
      callbackState: callback.get('state') ?? '',
      callbackIssuer: callback.get('iss') ?? '',
    });
    assert.equal(result, 'AUTHORIZED');
    const client = await createMCPClient({ transport });
    try {
      const tools = await client.tools();
      const answer = await tools['echo']?.execute(
        { text: 'seen' },
        { toolCallId: '1', messages: [], context: {} },
      );
      assert.match(JSON.stringify(answer), /"text":"seen"/);
    } finally {
      await client.close();
    }
  });
});
