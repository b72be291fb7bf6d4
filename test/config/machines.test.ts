import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brief, faultsOf, head, load } from './support/workspace.ts';

const servers = 'servers: { notes: { upstream: { url: "http://127.0.0.1:3000/mcp" } } }\n';

function withClient(client: string, more = ''): string {
  return `${head}${servers}auth: { embedded: { clients: { registered: [ ${client} ] }${more} } }\n`;
}

const sound = 'id: nightly, secret: { env: NIGHTLY }, grants: [client_credentials], scopes: [mcp:tools:read]';
const environment = { NIGHTLY: 'a secret of the test' };

describe('machines in the configuration', () => {
  it('are read with their secret, which is shown nowhere', async (t) => {
    const { config, explain } = await load(t, withClient(`{ ${sound} }`), environment);
    const client = config.auth.embedded?.machines.clients[0];
    assert.equal(client?.secret?.reveal(), environment.NIGHTLY);
    assert.equal(client?.organization, 'default');
    assert.ok(!JSON.stringify({ config, explain }).includes(environment.NIGHTLY));
  });

  const refused: Record<string, [string, string, RegExp]> = {
    'a secret that is written down': [
      '{ id: a, secret: plain, grants: [client_credentials], scopes: [x] }',
      'auth.embedded.clients.registered[0].secret',
      /literal/,
    ],
    'a machine with nothing to prove itself with': [
      '{ id: a, grants: [client_credentials], scopes: [x] }',
      'auth.embedded.clients.registered[0]',
      /nothing to prove/,
    ],
    'two ways to prove itself': [
      '{ id: a, secret: { env: NIGHTLY }, jwksUri: "https://a.example/keys", grants: [token_exchange], scopes: [x] }',
      'auth.embedded.clients.registered[0]',
      /several ways/,
    ],
    'keys over plain http': [
      '{ id: a, jwksUri: "http://a.example/keys", grants: [client_credentials], scopes: [x] }',
      'auth.embedded.clients.registered[0].jwksUri',
      /plain http/,
    ],
    'an id that an account could have': [
      '{ id: 019f0000-0000-7000-8000-000000000000, secret: { env: NIGHTLY }, grants: [client_credentials], scopes: [x] }',
      'auth.embedded.clients.registered[0].id',
      /UUID/,
    ],
    'no ceiling': [
      '{ id: a, secret: { env: NIGHTLY }, grants: [client_credentials], scopes: [] }',
      'auth.embedded.clients.registered[0].scopes',
      /empty/,
    ],
    'the same id twice': [`{ ${sound} }, { ${sound} }`, 'auth.embedded.clients.registered[1].id', /twice/],
    'a server that is not there': [
      `{ ${sound}, servers: [tickets] }`,
      'auth.embedded.clients.registered[0].servers[0]',
      /no server/,
    ],
    'a code without a redirect': [
      '{ id: a, grants: [authorization_code], scopes: [x] }',
      'auth.embedded.clients.registered[0].redirectUris',
      /missing/,
    ],
  };
  for (const [what, [client, path, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, async (t) => {
      const faults = await faultsOf(t, withClient(client), environment);
      const fault = faults.find((one) => one.path === path);
      assert.match(fault?.message ?? brief(faults).join('; '), message);
    });
  }

  it('refuses an enterprise whose assertions no registered client may present', async (t) => {
    const more = ', enterprise: [ { issuer: "https://idp.example", clientIds: [nightly] } ]';
    const faults = await faultsOf(t, withClient(`{ ${sound} }`, more), environment);
    assert.match(brief(faults).join('; '), /enterprise\[0\]\.clientIds\[0\]: names no registered client/);
  });
});

describe('assertions to upstreams in the configuration', () => {
  const withUpstream = (more: string) =>
    `${head}servers: { notes: { upstream: { url: "http://127.0.0.1:3000/mcp", ${more} } } }\n`;

  it('name the header in lower case and leave the audience to the URL', async (t) => {
    const { config } = await load(t, withUpstream('assertion: { header: X-Who }'));
    const { upstream } = config.servers[0] ?? {};
    assert.ok(upstream?.kind === 'http');
    assert.deepEqual(upstream.assertion, { header: 'x-who', audience: null });
  });

  it('refuse a header that something else needs', async (t) => {
    for (const header of ['authorization', 'Cookie', 'host', 'mcp-name', 'x-request-id', 'a b']) {
      const faults = await faultsOf(t, withUpstream(`assertion: { header: "${header}" }`));
      assert.match(brief(faults).join('; '), /assertion\.header/, header);
    }
    const both = withUpstream('headers: { X-Who: { env: NIGHTLY } }, assertion: { header: x-who }');
    assert.match(brief(await faultsOf(t, both, environment)).join('; '), /among the headers/);
  });
});
