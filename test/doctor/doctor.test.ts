import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { clientProfiles, diagnose, type Report, recogniseProvider } from '../../src/doctor/index.ts';
import { createOutbound, type OutboundExchange, readTarget } from '../../src/outbound/index.ts';
import { home, run } from '../cli/support/run.ts';
import {
  goodSite,
  issuerDocument,
  type MadeUpServer,
  resourceDocument,
  rootResourceDocument,
  type Site,
  startMadeUpServer,
} from './server.ts';

type Good = ReturnType<typeof goodSite>;

async function startServer(
  t: TestContext,
  change: (site: Good, origin: string) => Site | undefined = () => undefined,
) {
  const server = await startMadeUpServer((origin) => {
    const site = goodSite(origin);
    return change(site, origin) ?? site;
  });
  t.after(() => server.close());
  return server;
}

async function report(t: TestContext, { url }: MadeUpServer): Promise<Report> {
  const outbound = createOutbound();
  t.after(() => outbound.close());
  return diagnose(new URL(url), { outbound, clock: systemClock });
}

const failing = ({ clients }: Report) =>
  clients.filter(({ verdict }) => verdict === 'fails').map(({ id }) => id);
const everybody = clientProfiles.map(({ id }) => id);
const body = (site: Good, key: string) => site[key]?.body ?? {};

/** A change of one member of a document. */
function put(key: string, member: string, value: (origin: string) => unknown) {
  return (site: Good, origin: string) => {
    body(site, key)[member] = value(origin);
    return undefined;
  };
}

describe('doctor lets everybody connect', () => {
  it('to a server with all that they need; clouds once it is public', async (t) => {
    const server = await startServer(t);
    const found = await report(t, server);
    assert.deepEqual(failing(found), []);
    assert.deepEqual(
      found.clients.filter(({ verdict }) => verdict === 'when public').map(({ id }) => id),
      ['claude', 'chatgpt'],
    );
    assert.deepEqual(
      found.clients.flatMap(({ findings }) => findings),
      [],
    );
    assert.deepEqual([found.scopes, found.issuer, found.open], [['read'], server.origin, false]);
  });

  it('and sends no token, asks each thing once, and registers nothing', async (t) => {
    const server = await startServer(t);
    await report(t, server);
    for (const { line, headers } of server.asked) {
      assert.equal(headers.authorization, undefined);
      assert.equal(headers.cookie, undefined);
      assert.ok(!line.includes('register'));
    }
    const lines = server.asked.map(({ line, headers }) => `${line} ${headers['mcp-method'] ?? ''}`);
    assert.equal(new Set(lines).size, lines.length, lines.join('\n'));
  });

  it('in the order of each', async (t) => {
    const { clients } = await report(
      t,
      await startServer(t, (site) => {
        const { [resourceDocument]: _gone, ...rest } = site;
        return { ...rest, 'POST /mcp': { status: 401, headers: { 'www-authenticate': 'Bearer' } } };
      }),
    );
    const paths = (id: string) =>
      clients
        .find((client) => client.id === id)
        ?.steps.map(({ method, url }) => `${method} ${new URL(url).pathname}`);
    assert.deepEqual(paths('sdk-v1'), [
      'POST /mcp',
      'GET /.well-known/oauth-protected-resource/mcp',
      'GET /.well-known/oauth-protected-resource',
      'GET /.well-known/oauth-authorization-server',
    ]);
    assert.deepEqual(paths('gemini-cli'), ['POST /mcp', 'GET /.well-known/oauth-protected-resource/mcp']);
  });

  it('to a server that asks nobody to sign in, and says so', async (t) => {
    const found = await report(
      t,
      await startServer(t, () => ({ 'POST /mcp': { body: { jsonrpc: '2.0' } } })),
    );
    assert.deepEqual([failing(found), found.open], [[], true]);
  });
});

describe('doctor says who will not connect, and why', () => {
  const cases: Record<
    string,
    [change: (site: Good, origin: string) => Site | undefined, who: readonly string[], why: RegExp]
  > = {
    'where the path is another': [() => ({}), everybody, /answered with 404/],
    'where the URL redirects': [
      () => ({ 'POST /mcp': { status: 308, headers: { location: 'https://x.example/mcp' } } }),
      everybody,
      /redirects to https:\/\/x\.example/,
    ],
    'where the 401 has no challenge': [
      () => ({ 'POST /mcp': { status: 401 } }),
      everybody,
      /no Bearer challenge/,
    ],
    'where metadata is at the root alone': [
      (site) => {
        const { [resourceDocument]: _gone, ...rest } = site;
        return {
          ...rest,
          'POST /mcp': { status: 401, headers: { 'www-authenticate': 'Bearer scope="read"' } },
        };
      },
      ['claude', 'gemini-cli'],
      /no resource metadata/,
    ],
    'where the resource differs by a slash': [
      put(resourceDocument, 'resource', (origin) => `${origin}/mcp/`),
      ['claude', 'vscode'],
      /that of http.*\/mcp\/$/,
    ],
    'where the resource is another': [
      put(resourceDocument, 'resource', () => 'https://elsewhere.example/mcp'),
      everybody,
      /that of https:\/\/elsewhere/,
    ],
    'where the issuer differs by a slash': [
      put(issuerDocument, 'issuer', (origin) => `${origin}/`),
      everybody,
      /says that it is http/,
    ],
    'where nobody says S256': [
      (site) => void delete body(site, issuerDocument)['code_challenge_methods_supported'],
      everybody,
      /PKCE/,
    ],
    'where there is no registration at all': [
      (site) => {
        body(site, issuerDocument)['client_id_metadata_document_supported'] = false;
        delete body(site, issuerDocument)['registration_endpoint'];
      },
      everybody,
      /no way of registration/,
    ],
    'where metadata documents are the only way': [
      (site) => void delete body(site, issuerDocument)['registration_endpoint'],
      ['codex', 'gemini-cli', 'cursor', 'inspector', 'sdk-v1', 'sdk-v2'],
      /no way of registration/,
    ],
    'where documents are taken with none alone': [
      put(issuerDocument, 'token_endpoint_auth_methods_supported', () => ['none']),
      ['chatgpt'],
      /private_key_jwt/,
    ],
    'where scopes are in challenges alone': [
      (site) => void delete body(site, issuerDocument)['scopes_supported'],
      ['codex'],
      /does not list: read/,
    ],
  };
  for (const [what, [change, who, why]] of Object.entries(cases)) {
    it(what, async (t) => {
      const found = await report(t, await startServer(t, change));
      assert.deepEqual(failing(found), who);
      for (const client of found.clients.filter(({ id }) => who.includes(id))) {
        const [finding] = client.findings;
        assert.match(finding?.problem ?? '', why, client.id);
        assert.ok(finding?.change);
      }
    });
  }

  it('advises where a client connects with something less', async (t) => {
    const { clients } = await report(
      t,
      await startServer(t, (site) => {
        site['POST /mcp'] = { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: {} };
        delete site['OPTIONS /mcp'];
      }),
    );
    const advised = clients.filter(({ findings }) => findings.length > 0).map(({ id }) => id);
    assert.deepEqual(advised, ['claude', 'chatgpt', 'inspector']);
  });
});

describe('doctor under attack', () => {
  it('follows a public server to public addresses alone', async () => {
    const asked: OutboundExchange[] = [];
    const exchange = async (wanted: OutboundExchange) => {
      asked.push(wanted);
      const metadata = 'resource_metadata="http://169.254.169.254/latest"';
      return new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer ${metadata}` } });
    };
    const outbound = { exchange, fetchJson: async () => null, close: async () => {} };
    await diagnose(new URL('https://8.8.8.8/mcp'), { outbound, clock: systemClock });
    assert.ok(asked.some(({ url }) => url.startsWith('http://169.254')));
    assert.ok(
      asked.every(({ trust }) => trust === 'anyone'),
      'the address guard was switched off',
    );
    assert.ok(asked.every(({ timeoutMs, maxBytes }) => timeoutMs <= 10_000 && maxBytes <= 1_048_576));
  });

  it('reads no answer without end, and asks for no file', async (t) => {
    const endless = await startServer(t, (site) => ({
      ...site,
      [resourceDocument]: (_request, response) => {
        const more = () => void (response.write('x'.repeat(65_536)) && setImmediate(more));
        response.on('drain', more).on('error', () => undefined);
        more();
      },
      [rootResourceDocument]: { body: { authorization_servers: ['file:///etc/passwd'] } },
    }));
    const found = await report(t, endless);
    assert.ok(failing(found).includes('gemini-cli'));
    assert.ok(endless.asked.every(({ line }) => !line.includes('passwd')));
  });

  it('shows escape sequences of the server instead of obeying them, in 80 columns', async (t) => {
    const odd = 'evil\u001b[2J\u202e\u009b31m\nfails        VS Code';
    const server = await startServer(
      t,
      put(resourceDocument, 'resource', () => odd + ' word'.repeat(200)),
    );
    const { code, stdout } = await run(['doctor', server.url], { cwd: home(t) });
    assert.equal(code, 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    assert.equal(stdout.match(/^fails/gm)?.length, 1, stdout);
    assert.ok(
      stdout.split('\n').every((line) => line.length <= 80),
      stdout,
    );
  });
});

describe('doctor on the command line', () => {
  it('ends with 0 where all connect, and gives JSON', async (t) => {
    const server = await startServer(t);
    const { code, stdout } = await run(['doctor', server.url, '--json'], { cwd: home(t) });
    assert.equal(code, 0);
    const found = JSON.parse(stdout) as Report;
    assert.deepEqual(
      found.clients.map(({ id }) => id),
      everybody,
    );
  });

  it('takes no other URL than one of http', () => {
    for (const text of [
      '',
      'mcp.example.com/mcp',
      'file:///etc/passwd',
      'https://u:p@x.example/',
      'https://x.example/#f',
      `https://x.example/${'x'.repeat(3000)}`,
    ])
      assert.equal(readTarget(text), null, text);
  });
});

describe('identity providers are known by their issuer', () => {
  for (const [issuer, name] of [
    ['https://login.microsoftonline.com/7f0c/v2.0', 'Microsoft Entra ID'],
    ['https://acme.okta.com/oauth2/aus1', 'Okta'],
    ['https://acme.eu.auth0.com/', 'Auth0'],
    ['https://accounts.google.com', 'Google'],
    ['https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x', 'Amazon Cognito'],
    ['https://id.acme.example/realms/main', 'Keycloak'],
    ['https://id.acme.example/', undefined],
    ['https://login.microsoftonline.com.evil.example/x', undefined],
  ] as const) {
    it(issuer, () => assert.equal(recogniseProvider(issuer)?.name, name));
  }
});

it('docs/clients.md speaks of every client that doctor knows', () => {
  const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8');
  for (const { name } of clientProfiles) assert.ok(page.includes(`| ${name}`), name);
});
