import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { brief, faultsOf, head, load } from './support/workspace.ts';

const key = () => randomBytes(32).toString('base64');
const file = (connect: string, auth = '{ vaultKey: { env: KEY } }', name = 'tickets') =>
  `${head}servers: { ${name}: { upstream: { url: "https://up.example/mcp", connect: ${connect} } } }\nauth: ${auth}\n`;
const smallest = '{ issuer: "https://idp.example", clientId: portcullis }';

describe('upstream.connect', () => {
  it('is read, with its secret and the key of the vault', async (t) => {
    const environment = { KEY: key(), SECRET: 'canary' };
    const text = file(
      '{ authorizationEndpoint: "https://idp.example/a", tokenEndpoint: "https://idp.example/t", clientId: portcullis, clientSecret: { env: SECRET }, scopes: [a], resource: "https://up.example/mcp" }',
    );
    const { config } = await load(t, text, environment);
    const { upstream } = config.servers[0] ?? {};
    assert.ok(upstream?.kind === 'http' && upstream.connect);
    assert.equal(upstream.connect.clientSecret?.reveal(), 'canary');
    assert.deepEqual(upstream.connect.endpoints, {
      authorization: 'https://idp.example/a',
      token: 'https://idp.example/t',
    });
    assert.deepEqual(
      config.auth.vaultKeys.map((one) => one.reveal()),
      [environment.KEY],
    );
  });

  it('takes older keys of the vault, newest first', async (t) => {
    const environment = { KEY: key(), OLD: key(), OLDER: key() };
    const auth = '{ vaultKey: { current: { env: KEY }, previous: [{ env: OLD }, { env: OLDER }] } }';
    const { config } = await load(t, file(smallest, auth), environment);
    assert.deepEqual(
      config.auth.vaultKeys.map((one) => one.reveal()),
      [environment.KEY, environment.OLD, environment.OLDER],
    );
  });

  for (const [what, text, expected] of [
    ['no key', file(smallest, '{}'), /needs a key that encrypts/],
    ['no provider', file('{ clientId: portcullis }'), /does not say where people connect/],
    [
      'one endpoint',
      file('{ clientId: portcullis, issuer: "https://idp.example", tokenEndpoint: "https://idp.example/t" }'),
      /one endpoint without the other/,
    ],
    [
      'a provider in the clear',
      file('{ clientId: portcullis, issuer: "http://idp.example" }'),
      /plain http on a host that is not loopback/,
    ],
    [
      'nobody who could connect',
      file(
        smallest,
        '{ vaultKey: { env: KEY }, issuers: [{ issuer: "https://idp.example", audience: "https://a.example" }] }',
      ),
      /needs the embedded authorization server/,
    ],
    ['a server of that name', file(smallest, undefined, 'connect'), /has the name of the pages/],
    ['a literal key', file(smallest, `{ vaultKey: "${key()}" }`), /vaultKey/],
  ] as const) {
    it(`is refused with ${what}`, async (t) => {
      assert.match(brief(await faultsOf(t, text, { KEY: key() })).join('\n'), expected);
    });
  }

  it('is refused with a key that is no key, whose text is not repeated', async (t) => {
    for (const bad of ['canary-short', randomBytes(31).toString('base64'), randomBytes(32).toString('hex')]) {
      const faults = brief(await faultsOf(t, file(smallest), { KEY: bad })).join('\n');
      assert.match(faults, /auth\.vaultKey: the key is not 32 bytes in base64/);
      assert.ok(!faults.includes(bad));
    }
  });
});
