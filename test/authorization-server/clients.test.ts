import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { guardedFetch, redirectTarget } from '../../src/authorization-server/clients/index.ts';
import { createOutbound, OutboundError } from '../../src/outbound/index.ts';
import {
  alice,
  Browser,
  codeRequest,
  movableClock,
  obtainToken,
  postJson,
  type RunningAuthorizationServer,
  redirectSchemes,
  redirectUri,
  refresh,
  register,
  requestToken,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

describe('dynamic registration', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({
      clients: { dynamicRegistration: { maxPerHour: 1000, maxPerHourAndAddress: 1000, unusedDays: 7 } },
    });
  });
  after(() => as.close());

  it('accepts what SDK clients send: unknown scopes and grant types are dropped (traps 5 and 7)', async () => {
    const client = await register(as, {
      scope: 'claudeai mcp:tools:read',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
      response_types: ['code', 'token'],
      contacts: ['not an address'],
      software_id: 'x',
    });
    assert.deepEqual(client['grant_types'], ['authorization_code', 'refresh_token']);
    assert.deepEqual(client['response_types'], ['code']);
  });

  it('gives a public client no secret (trap 6), and one that asks for a secret one', async () => {
    for (const metadata of [{}, { token_endpoint_auth_method: 'none' }]) {
      const client = await register(as, metadata);
      assert.equal(client['token_endpoint_auth_method'], 'none');
      assert.ok(!('client_secret' in client));
    }
    const confidential = await register(as, { token_endpoint_auth_method: 'client_secret_post' });
    assert.ok(confidential.client_secret);
    const { url, verifier } = codeRequest(as, confidential.client_id);
    const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
    const exchange = {
      grant_type: 'authorization_code',
      client_id: confidential.client_id,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    };
    assert.equal((await requestToken(as, exchange)).error, 'invalid_client');
    const answer = await requestToken(as, { ...exchange, client_secret: confidential.client_secret });
    assert.equal(answer.status, 200);
  });

  it('issues a refresh token to a client that asked for neither offline_access nor prompt=consent (trap 9)', async () => {
    const { client_id } = await register(as, { grant_types: ['authorization_code', 'refresh_token'] });
    assert.ok((await obtainToken(as, client_id)).refresh_token);
    const without = await register(as, { grant_types: ['authorization_code'] });
    assert.equal((await obtainToken(as, without.client_id)).refresh_token, undefined);
    const v2 = await register(as);
    const answer = await obtainToken(as, v2.client_id, {
      parameters: { scope: 'mcp:tools:read offline_access', prompt: 'consent' },
    });
    assert.ok(answer.refresh_token);
    assert.equal(answer.scope, 'mcp:tools:read');
  });

  it('answers browsers of any origin at /register, /token and /revoke (trap 8)', async () => {
    for (const path of ['/register', '/token', '/revoke']) {
      const headers = {
        origin: 'https://inspector.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,mcp-protocol-version',
      };
      const preflight = await fetch(as.issuer + path, { method: 'OPTIONS', headers });
      assert.equal(preflight.status, 204, path);
      assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
      assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);
      const answer = await fetch(as.issuer + path, {
        method: 'POST',
        headers: { origin: 'https://inspector.example' },
      });
      assert.ok(answer.status >= 400 && answer.status < 500, `${path} ${answer.status}`);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    }
  });

  for (const uri of [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://client.example/x',
    'http://client.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://user@127.0.0.1/cb',
    'https://client.example/cb#fragment',
    'https://*.client.example/cb',
    'https://user:password@client.example/cb',
    'https://client.example/a b',
    'https://a;script-src/cb',
    'evilapp://cb',
    '//client.example/cb',
    '/cb',
    '',
  ]) {
    it(`refuses the redirect URI ${JSON.stringify(uri)}`, async () => {
      const response = await postJson(`${as.issuer}/register`, { redirect_uris: [redirectUri, uri] });
      assert.equal(response.status, 400);
      assert.equal(((await response.json()) as { error: string }).error, 'invalid_redirect_uri');
    });
  }

  it('accepts https, loopback in its three spellings and the editors’ schemes', () => {
    for (const [uri, kind] of [
      ['https://claude.ai/api/mcp/auth_callback', 'web'],
      ['http://127.0.0.1/cb', 'loopback'],
      ['http://localhost:3118/callback', 'loopback'],
      ['http://[::1]:1/cb', 'loopback'],
      ['cursor://anysphere.cursor-retrieval/oauth/user-x/callback', 'application'],
      ['vscode://vscode.github-authentication/did-authenticate', 'application'],
    ] as const) {
      assert.equal(redirectTarget(uri, redirectSchemes)?.kind, kind, uri);
    }
  });

  for (const [what, body] of Object.entries({
    'no redirect URI': {},
    'redirect URIs that are no list': { redirect_uris: 'https://client.example/cb' },
    'redirect URIs that are no strings': { redirect_uris: [{}] },
    'too many redirect URIs': { redirect_uris: Array(30).fill('https://client.example/cb') },
    'a name that is no string': { redirect_uris: [redirectUri], client_name: { toString: 'x' } },
    'a very long name': { redirect_uris: [redirectUri], client_name: 'x'.repeat(300) },
    'a list': [],
    'a string': 'x',
    'a prototype': JSON.parse('{"__proto__":{"redirect_uris":["https://x.example/"]}}'),
  })) {
    it(`refuses a registration with ${what}`, async () => {
      const response = await postJson(`${as.issuer}/register`, body);
      assert.equal(response.status, 400, await response.text());
    });
  }

  it('refuses a registration that is too large or no JSON', async () => {
    const large = { redirect_uris: [redirectUri], software_id: 'x'.repeat(20_000) };
    assert.equal((await postJson(`${as.issuer}/register`, large)).status, 413);
    const streamed = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(8192).fill(32));
      },
    });
    const endless = await fetch(`${as.issuer}/register`, {
      method: 'POST',
      body: streamed,
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    } as RequestInit).then(
      ({ status }) => status,
      () => 413, // the connection may be gone before the answer is read
    );
    assert.equal(endless, 413);
    const nested = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    for (const body of [
      '{"redirect_uris":',
      `{"redirect_uris":["${redirectUri}"],"x":${nested}}`,
      `{"redirect_uris":["${redirectUri}"],"redirect_uris":["https://evil.example/cb"]}`,
    ]) {
      const garbage = await fetch(`${as.issuer}/register`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      assert.equal(garbage.status, 400, body.slice(0, 60));
      assert.equal(((await garbage.json()) as { error: string }).error, 'invalid_client_metadata');
    }
  });

  it('takes a loopback redirect on any port, and on no other host or path', async () => {
    const { client_id } = await register(as, { redirect_uris: ['http://127.0.0.1/callback'] });
    const ported = await obtainToken(as, client_id, {
      parameters: { redirect_uri: 'http://127.0.0.1:49152/callback' },
    });
    assert.equal(ported.status, 200);
    for (const redirect_uri of [
      'http://127.0.0.1:49152/other',
      'http://localhost:49152/callback',
      'http://127.0.0.1:49152/callback?x=1',
      'http://127.0.0.1:49152/callback/../evil',
      'http://127.0.0.1:49152@evil.example/callback',
      'https://evil.example/callback',
      'https://127.0.0.1/callback',
      'javascript:alert(1)',
      '//evil.example/callback',
    ]) {
      const response = await fetch(codeRequest(as, client_id, { redirect_uri }).url, { redirect: 'manual' });
      assert.equal(response.status, 400, redirect_uri);
      assert.equal(response.headers.get('location'), null);
      assert.match(response.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    }
  });

  it('says that localhost and 127.0.0.1 differ (trap 4)', async () => {
    const { client_id } = await register(as);
    const response = await fetch(
      codeRequest(as, client_id, { redirect_uri: 'http://localhost:7777/callback' }).url,
      { redirect: 'manual', headers: { accept: 'text/html' } },
    );
    assert.match(await response.text(), /localhost and 127\.0\.0\.1 are different/);
  });

  it('answers an unknown client with a page, and at the token endpoint with invalid_client', async () => {
    const response = await fetch(codeRequest(as, 'nobody').url, { redirect: 'manual' });
    assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
    assert.equal((await refresh(as, 'nobody', 'x')).error, 'invalid_client');
  });
});

describe('bounds of registration', () => {
  it('refuses more than so many in an hour, says when to come back, and counts again afterwards', async () => {
    const clock = movableClock();
    const as = await startAuthorizationServer({
      clock,
      clients: { dynamicRegistration: { maxPerHour: 3, maxPerHourAndAddress: 10, unusedDays: 7 } },
    });
    try {
      for (let count = 0; count < 3; count += 1) await register(as);
      const refused = await postJson(`${as.issuer}/register`, { redirect_uris: [redirectUri] });
      assert.equal(refused.status, 429);
      assert.ok(Number(refused.headers.get('retry-after')) > 3500);
      assert.ok(as.events.some(({ event }) => event === 'client.refused'));
      clock.advance(3_601_000);
      await register(as);
    } finally {
      await as.close();
    }
  });

  it('forgets clients that nobody used, and keeps the others', async () => {
    const clock = movableClock();
    const first = await startAuthorizationServer({ clock });
    const unused = await register(first);
    const used = await register(first);
    await obtainToken(first, used.client_id);
    clock.advance(8 * 24 * 3_600_000);
    await first.server.close();
    const second = await startAuthorizationServer({ clock, dataDir: first.dataDir });
    try {
      assert.equal((await refresh(second, unused.client_id, 'x')).error, 'invalid_client');
      assert.equal((await refresh(second, used.client_id, 'x')).error, 'invalid_grant');
      assert.ok(second.events.some(({ event }) => event === 'client.removed'));
    } finally {
      await second.close();
      await first.close();
    }
  });
});

describe('client metadata documents', () => {
  const clientId = 'https://client.example/oauth/client.json';
  const documents = new Map<string, unknown>();
  const fetched: string[] = [];
  const cimdFetch = (async (url: string | URL) => {
    fetched.push(String(url));
    const document = documents.get(String(url));
    if (document === undefined) return new Response('no', { status: 404 });
    return document instanceof Response ? document.clone() : Response.json(document);
  }) as typeof fetch;
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({ options: { cimdFetch } });
    documents.set(clientId, {
      client_id: clientId,
      client_name: 'Example client',
      redirect_uris: ['http://127.0.0.1/callback', 'https://client.example/callback'],
      // Members that would be refused or bind us, were they not dropped.
      scope: 'unknown mcp:tools:read',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      default_max_age: 1,
      response_modes: ['form_post'],
    });
  });
  after(() => as.close());

  it('are clients without registration, on any loopback port though they name no application_type (trap 3)', async () => {
    const answer = await obtainToken(as, clientId, {
      parameters: { redirect_uri: 'http://127.0.0.1:50123/callback', scope: 'mcp:tools:write' },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.scope, 'mcp:tools:write');
    assert.equal(decodeJwt(answer.access_token)['client_id'], clientId);
    assert.ok(answer.refresh_token);
    assert.equal((await refresh(as, clientId, answer.refresh_token)).status, 200);
    assert.deepEqual(fetched, [clientId]);
  });

  it('show the host of the document on the consent page, and the name as a claim', async () => {
    const browser = new Browser();
    const { url } = codeRequest(as, clientId, {
      redirect_uri: 'https://client.example/callback',
      prompt: 'consent',
    });
    await obtainToken(as, clientId, {
      browser,
      parameters: { redirect_uri: 'https://client.example/callback' },
    });
    const start = await browser.request(url.href);
    const page = await browser.request(start.headers.get('location') ?? '');
    const html = await page.text();
    assert.match(html, /Described by \(verified\)<\/dt><dd><strong>client\.example/);
    assert.match(html, /not verified/);
  });

  it('are asked about once where the code goes to https, every time elsewhere, and when scopes grow', async () => {
    const web = 'https://client.example/web.json';
    documents.set(web, {
      client_id: web,
      client_name: 'Web client',
      redirect_uris: ['https://client.example/callback', 'http://127.0.0.1/callback'],
    });
    const browser = new Browser();
    const parameters = { redirect_uri: 'https://client.example/callback' };
    await obtainToken(as, web, { browser, parameters });
    const remembered = await browser.request(codeRequest(as, web, parameters).url.href);
    assert.match(remembered.headers.get('location') ?? '', /^https:\/\/client\.example\/callback\?code=/);
    for (const more of [
      { redirect_uri: 'http://127.0.0.1/callback' },
      { ...parameters, scope: 'mcp:tools:admin' },
    ]) {
      const asked = await browser.request(codeRequest(as, web, more).url.href);
      assert.match(asked.headers.get('location') ?? '', /\/oauth\/interaction\//);
    }
  });

  for (const [what, id, document] of [
    ['another client_id', 'https://a.example/c.json', { client_id: 'https://b.example/c.json' }],
    ['a secret', 'https://a.example/s.json', { client_secret: 'x' }],
    ['a secret method', 'https://a.example/m.json', { token_endpoint_auth_method: 'client_secret_basic' }],
    ['a javascript: redirect', 'https://a.example/j.json', { redirect_uris: ['javascript:alert(1)'] }],
    ['an http redirect', 'https://a.example/h.json', { redirect_uris: ['http://a.example/cb'] }],
    ['more than 5 KiB', 'https://a.example/l.json', { client_uri: `https://a.example/${'x'.repeat(6000)}` }],
    ['a redirect answer', 'https://a.example/r.json', Response.redirect('https://b.example/c.json')],
    ['no JSON', 'https://a.example/n.json', new Response('<html>')],
  ] as const) {
    it(`are refused with ${what}`, async () => {
      documents.set(
        id,
        document instanceof Response
          ? document
          : { client_id: id, redirect_uris: ['http://127.0.0.1/cb'], ...document },
      );
      const { url } = codeRequest(as, id, { redirect_uri: 'http://127.0.0.1/cb' });
      const response = await fetch(url, { redirect: 'manual' });
      assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
    });
  }

  for (const id of [
    'http://client.example/c.json',
    'http://127.0.0.1/c.json',
    'https://127.0.0.1/c.json',
    'https://[::1]/c.json',
    'https://169.254.169.254/latest',
    'https://0x7f000001/c.json',
    'https://localhost/c.json',
    'https://printer.local/c.json',
    'https://metadata.google.internal/c.json',
    'https://client.example',
    'https://user@client.example/c.json',
    'https://client.example/c.json#x',
    'https://client.example/a/../c.json',
  ]) {
    it(`are not fetched from ${id}`, async () => {
      const before = fetched.length;
      const response = await fetch(codeRequest(as, id).url, { redirect: 'manual' });
      assert.deepEqual([response.status, response.headers.get('location')], [400, null]);
      assert.equal(fetched.length, before);
    });
  }

  it('are not fetched without bound for strangers', async () => {
    const busy = await startAuthorizationServer({ options: { cimdFetch } });
    try {
      const before = fetched.length;
      await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          fetch(codeRequest(busy, `https://x${index}.example/c.json`).url, { redirect: 'manual' }),
        ),
      );
      assert.ok(fetched.length - before <= 30);
    } finally {
      await busy.close();
    }
  });

  it('are not used when switched off', async () => {
    const off = await startAuthorizationServer({
      options: { cimdFetch },
      clients: { metadataDocuments: false },
    });
    try {
      assert.equal((await fetch(codeRequest(off, clientId).url, { redirect: 'manual' })).status, 400);
    } finally {
      await off.close();
    }
  });

  it('leave through the address guard by default (trap 17)', async () => {
    const outbound = createOutbound();
    try {
      for (const url of [
        'https://127.0.0.1:1/c.json',
        'https://169.254.169.254/keys',
        'http://client.example/',
      ]) {
        await assert.rejects(guardedFetch(outbound)(url), OutboundError);
      }
    } finally {
      await outbound.close();
    }
  });
});
