import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  alice,
  codeRequest,
  obtainToken,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  signInAndConsent,
} from '../support.ts';
import { claimsOf, machine, startWith } from './support.ts';

describe('registered clients of the configuration with a person', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    const desk = machine({
      id: 'desk',
      name: 'Desk',
      secret: null,
      grants: ['authorization_code'],
      redirectUris: [redirectUri],
      scopes: ['mcp:tools:read'],
    });
    as = await startWith([desk]);
  });
  after(() => as.close());

  it('never hold more than their ceiling, at the first token and at each refresh', async () => {
    const scope = 'mcp:tools:read mcp:tools:write mcp:tools:admin offline_access';
    const first = await obtainToken(as, 'desk', { credentials: alice, parameters: { scope } });
    assert.equal(claimsOf(first)['scope'], 'mcp:tools:read');
    for (const more of [{}, { scope: 'mcp:tools:write mcp:tools:read' }]) {
      const next = await refresh(as, 'desk', first.refresh_token, more);
      if (next.status === 200) assert.equal(claimsOf(next)['scope'], 'mcp:tools:read');
      else assert.equal(next.error, 'invalid_scope');
    }
  });

  it('send codes nowhere but to their own redirects', async () => {
    const { url } = codeRequest(as, 'desk', { redirect_uri: 'https://attacker.example/cb' });
    await assert.rejects(signInAndConsent(url, alice), /redirect_uri|no form/);
  });
});
