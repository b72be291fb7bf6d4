import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { brief, faultsOf, load } from './support/workspace.ts';

const written = (embedded: string, publicUrl = 'http://localhost:4180') =>
  `publicUrl: "${publicUrl}"\ndata: ./data\nservers: { notes: { upstream: { command: [notes] } } }\nauth: { embedded: { ${embedded} } }\n`;
const provider = (more = '', issuer = 'https://idp.example.com') =>
  `signIn: [oidc], oidc: { issuer: "${issuer}", clientId: me, clientSecret: { env: OIDC }, ${more} }`;

async function refuses(t: TestContext, text: string, path: string, reason: RegExp): Promise<void> {
  const faults = await faultsOf(t, text);
  const found = faults.find((fault) => fault.path === path && reason.test(`${fault.message} ${fault.hint}`));
  assert.ok(found, `${text}\ngave ${brief(faults).join('; ')}`);
}

describe('sign-in at a provider', () => {
  it('is read with its secret and its defaults', async (t) => {
    const { config, explain } = await load(t, written(provider()), { OIDC: 'canary-71' });
    const oidc = config.auth.embedded?.oidc;
    assert.ok(oidc);
    assert.equal(oidc.clientSecret.reveal(), 'canary-71');
    assert.doesNotMatch(inspect(config, { depth: 9 }) + JSON.stringify([config, explain]), /canary-71/);
    assert.equal(oidc.name, 'idp.example.com');
    assert.equal(oidc.recheckMinutes, 60);
    assert.deepEqual(oidc.allow, { domains: null, groups: null });
    assert.deepEqual(oidc.adminGroups, []);
  });

  it('needs its secret as a reference, and there', async (t) => {
    const literal = written(provider()).replace('{ env: OIDC }', 'hunter2hunter2');
    await refuses(t, literal, 'auth.embedded.oidc.clientSecret', /literal/);
    await refuses(t, written(provider()), 'auth.embedded.oidc.clientSecret', /OIDC is not set/);
  });

  it('is described where it is switched on, and only there', async (t) => {
    await refuses(t, written('signIn: [oidc]'), 'auth.embedded.signIn', /no provider/);
    const unused = written(provider().replace('[oidc]', '[password]'));
    await refuses(t, unused, 'auth.embedded.oidc', /not used/);
  });

  it('is refused at issuers that sign in everybody', async (t) => {
    for (const tenant of ['common', 'organizations', 'consumers']) {
      const issuer = `https://login.microsoftonline.com/${tenant}/v2.0`;
      await refuses(t, written(provider('', issuer)), 'auth.embedded.oidc.issuer', /one tenant/);
    }
    const google = 'https://accounts.google.com';
    await refuses(t, written(provider('', google)), 'auth.embedded.oidc.issuer', /everybody/);
    await load(t, written(provider('allow: { domains: [example.com] }', google)), { OIDC: 'x' });
  });

  it('is refused over plain http, without openid, and with parameters that undo a control', async (t) => {
    const path = 'auth.embedded.oidc';
    await refuses(t, written(provider('', 'http://idp.example.com')), `${path}.issuer`, /https/);
    await refuses(t, written(provider('scopes: [profile]')), `${path}.scopes`, /openid/);
    for (const name of ['redirect_uri', 'state', 'nonce', 'code_challenge', 'response_mode', 'request']) {
      const text = written(provider(`authorizationParameters: { ${name}: x }`));
      await refuses(t, text, `${path}.authorizationParameters`, /sets itself/);
    }
  });
});

describe('passkeys', () => {
  it('stand beside passwords, on a host with a name', async (t) => {
    const { config } = await load(t, written('signIn: [password, passkey]'));
    assert.deepEqual(config.auth.embedded?.signIn, ['password', 'passkey']);
    await refuses(t, written('signIn: [passkey]'), 'auth.embedded.signIn', /without password/);
    for (const url of ['http://127.0.0.1:4180', 'http://[::1]:4180']) {
      await refuses(t, written('signIn: [password, passkey]', url), 'auth.embedded.signIn', /IP address/);
    }
  });
});
