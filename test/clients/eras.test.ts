import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { type IssuedGateway, startIssuedGateway } from './gateway.ts';
import { sdkClients } from './sdk-clients.ts';

// Over HTTP the gateway passes bytes on: the upstream has to speak the client's era, and a client that speaks both finds out.
for (const era of ['legacy', 'modern'] as const)
  describe(`an HTTP upstream that speaks the ${era} era alone`, () => {
    let fixture: FixtureServer;
    let issued: IssuedGateway;
    before(async () => {
      fixture = await startFixtureServer({ era });
      issued = await startIssuedGateway({ url: fixture.url });
    });
    after(async () => {
      await issued.close();
      await fixture.close();
    });
    const connect = async (sdk: (typeof sdkClients)[number], scope?: string) =>
      sdk.connect({
        url: `${issued.gateway.origin}/mcp`,
        token: await issued.token(scope === undefined ? {} : { scope }),
      });

    for (const sdk of sdkClients) {
      const speaksBoth = sdk.era === 'modern';
      if (era === 'modern' && !speaksBoth) {
        it(`fails for ${sdk.label} with an error, not with silence`, async () => {
          await assert.rejects(connect(sdk));
        });
        continue;
      }
      it(`serves ${sdk.label}`, async () => {
        const connection = await connect(sdk);
        assert.equal(connection.revision, era === 'modern' ? '2026-07-28' : '2025-11-25');
        assert.equal(await connection.call('echo', { text: 'in' }), 'in');
        await connection.close();
      });

      it(`has its annotations read: ${sdk.label} with a read scope reads and does not write`, async () => {
        const connection = await connect(sdk, 'mcp:tools:read');
        assert.equal(await connection.call('echo', { text: 'in' }), 'in');
        await assert.rejects(connection.call('write_note', { name: 'n', body: 'b' }));
        assert.equal(fixture.notes.size, 0);
        await connection.close();
      });
    }
  });
