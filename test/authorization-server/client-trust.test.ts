import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { isTrustedHost } from '../../src/authorization-server/clients/index.ts';
import {
  alice,
  Browser,
  codeRequest,
  formsOf,
  movableClock,
  obtainToken,
  postJson,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  register,
  requestToken,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

describe('trust by host', () => {
  it('compares whole host names', () => {
    const policy = { allow: ['claude.ai', '*.openai.com'], deny: ['bad.openai.com', '*.evil.openai.com'] };
    for (const [host, trusted] of [
      ['claude.ai', true],
      ['CLAUDE.AI', true],
      ['claude.ai.', true],
      ['www.claude.ai', false],
      ['notclaude.ai', false],
      ['claude.ai.evil.example', false],
      ['openai.com', false],
      ['chat.openai.com', true],
      ['a.b.openai.com', true],
      ['evilopenai.com', false],
      ['bad.openai.com', false],
      ['x.evil.openai.com', false],
      ['', false],
    ] as const) {
      assert.equal(isTrustedHost(host, policy), trusted, host);
    }
    assert.ok(isTrustedHost('any.example', { allow: ['*'], deny: [] }));
    assert.ok(!isTrustedHost('any.example', { allow: ['*'], deny: ['*'] }));
    assert.deepEqual([isTrustedHost('x.example', true), isTrustedHost('x.example', false)], [true, false]);
  });

  it('decides before anything is fetched', async () => {
    const fetched: string[] = [];
    const cimdFetch = (async (url: string | URL) => {
      fetched.push(String(url));
      return Response.json({ client_id: String(url), redirect_uris: [redirectUri] });
    }) as unknown as typeof fetch;
    const as = await startAuthorizationServer({
      options: { cimdFetch },
      clients: { metadataDocuments: { allow: ['*.example'], deny: ['evil.example'] } },
    });
    try {
      const status = async (id: string) =>
        (await fetch(codeRequest(as, id).url, { redirect: 'manual' })).status;
      assert.equal(await status('https://good.example/c.json'), 303);
      for (const id of [
        'https://evil.example/c.json',
        'https://evil.example./c.json',
        'https://EVIL.example/c.json',
        'https://evil.example:8443/c.json',
        'https://good.example@evil.example/c.json',
        'https://good.test.org/c.json',
      ]) {
        assert.equal(await status(id), 400, id);
      }
      assert.deepEqual(fetched, ['https://good.example/c.json']);
    } finally {
      await as.close();
    }
  });
});

describe('private_key_jwt by metadata document, as ChatGPT does it', () => {
  const clientId = 'https://chatgpt.example/oauth/client.json';
  let as: RunningAuthorizationServer;
  let key: CryptoKey;
  const fetched: string[] = [];
  before(async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    key = privateKey;
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
    const documents: Record<string, unknown> = {
      [clientId]: {
        client_id: clientId,
        client_name: 'ChatGPT',
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: 'https://chatgpt.example/oauth/jwks.json',
      },
      'https://chatgpt.example/oauth/jwks.json': { keys: [jwk] },
    };
    const cimdFetch = (async (url: string | URL) => {
      fetched.push(String(url));
      const document = documents[String(url)];
      return document === undefined ? new Response('', { status: 404 }) : Response.json(document);
    }) as unknown as typeof fetch;
    as = await startAuthorizationServer({ options: { cimdFetch } });
  });
  after(() => as.close());

  const assertion = (claims: JWTPayload, with_: CryptoKey = key) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      iss: clientId,
      sub: clientId,
      jti: randomUUID(),
      iat: now,
      exp: now + 60,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(with_);
  };
  const present = async (client_assertion: string) =>
    refresh(as, clientId, 'no such token', { client_assertion, client_assertion_type: assertionType });

  it('leads to a token', async () => {
    const { url, verifier } = codeRequest(as, clientId);
    const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
    const tokens = await requestToken(as, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      client_assertion: await assertion({ aud: `${as.url}//oauth/token` }),
      client_assertion_type: assertionType,
    });
    assert.equal(tokens.status, 200, tokens.error_description);
  });

  it('accepts our issuer and token endpoint as audience, and these with one slash too many', async () => {
    for (const aud of [
      as.issuer,
      `${as.issuer}/`,
      `${as.issuer}/token`,
      `${as.issuer}//token`,
      `${as.url}//oauth/token`,
      [as.issuer],
    ]) {
      const answer = await present(await assertion({ aud }));
      assert.equal(answer.error, 'invalid_grant', `authenticated with ${String(aud)}`);
    }
  });

  it('accepts nothing else', async () => {
    const stranger = (await generateKeyPair('ES256')).privateKey;
    const good = { aud: as.issuer };
    const now = Math.floor(Date.now() / 1000);
    const bad: Record<string, string> = {
      'the origin': await assertion({ aud: as.url }),
      'another server': await assertion({ aud: 'https://other.example/oauth' }),
      'another host that begins alike': await assertion({ aud: `${as.url}.evil.example/oauth/token` }),
      'our resource': await assertion({ aud: as.resource }),
      'another case': await assertion({ aud: as.issuer.replace('oauth', 'OAuth') }),
      'three slashes': await assertion({ aud: `${as.issuer}///token` }),
      'a query': await assertion({ aud: `${as.issuer}/token?x` }),
      'a second audience': await assertion({ aud: [as.issuer, 'https://other.example'] }),
      'no audience': await assertion({}),
      'another endpoint': await assertion({ aud: `${as.issuer}/revoke` }),
      'another client as issuer': await assertion({ ...good, iss: 'https://evil.example/c.json' }),
      'another client as subject': await assertion({ ...good, sub: 'https://evil.example/c.json' }),
      'a date gone by': await assertion({ ...good, exp: now - 600 }),
      'a life of days': await assertion({ ...good, exp: now + 7 * 86_400 }),
      'no id': await assertion({ ...good, jti: undefined } as unknown as JWTPayload),
      'a huge id': await assertion({ ...good, jti: 'x'.repeat(2_000) }),
      'another key': await assertion(good, stranger),
    };
    for (const [what, client_assertion] of Object.entries(bad)) {
      const answer = await present(client_assertion);
      assert.match(answer.error ?? '', /^invalid_(client|request)$/, what);
    }
    assert.equal((await refresh(as, clientId, 'x')).error, 'invalid_client', 'none at all');
  });

  it('asks the host of the key set once a minute, whatever is presented', async () => {
    const before = fetched.filter((url) => url.endsWith('jwks.json')).length;
    await Promise.all(Array.from({ length: 20 }, async () => present(await assertion({ aud: as.issuer }))));
    const { length } = fetched.filter((url) => url.endsWith('jwks.json'));
    assert.ok(length <= 1 && length >= before, String(length));
  });

  it('takes an assertion once, however many come at the same time', async () => {
    const client_assertion = await assertion({ aud: as.issuer });
    const answers = await Promise.all([1, 2, 3, 4].map(() => present(client_assertion)));
    // The refresh token that the authenticated one names does not exist; the others do not get that far.
    const authenticated = answers.filter(({ error, error_description: text }) => {
      return error === 'invalid_grant' && !/already used/.test(text ?? '');
    });
    assert.ok(authenticated.length <= 1, JSON.stringify(answers));
    assert.equal((await present(client_assertion)).error, 'invalid_client', 'and not afterwards');
  });
});

describe('identical registrations', () => {
  it('of public clients are one client for a day; those of others never are', async () => {
    const clock = movableClock();
    const as = await startAuthorizationServer({
      clock,
      clients: { dynamicRegistration: { maxPerHour: 5, maxPerHourAndAddress: 5, unusedDays: 7 } },
    });
    try {
      const metadata = { client_name: 'Agent', redirect_uris: [redirectUri], software_id: 'agent' };
      const ids = new Set<string>();
      for (let count = 0; count < 20; count += 1) ids.add((await register(as, metadata)).client_id);
      assert.equal(ids.size, 1, 'and they are counted once');
      const reordered = { software_id: 'agent', redirect_uris: [redirectUri], client_name: 'Agent' };
      ids.add((await register(as, reordered)).client_id);
      assert.equal(ids.size, 1);
      const [id = ''] = ids;
      assert.equal((await obtainToken(as, id)).status, 200);
      for (const other of [
        { ...metadata, client_name: 'agent' },
        { ...metadata, redirect_uris: [redirectUri, 'https://evil.example/cb'] },
        { ...metadata, redirect_uris: ['http://127.0.0.1:7777/callback?x'] },
      ]) {
        assert.ok(!ids.has((await register(as, other)).client_id));
      }
      clock.advance(25 * 3_600_000);
      assert.notEqual((await register(as, metadata)).client_id, id, 'another day');
      clock.advance(3_600_001);
      const confidential = { ...metadata, token_endpoint_auth_method: 'client_secret_basic' };
      const [one, two] = [await register(as, confidential), await register(as, confidential)];
      assert.notEqual(one.client_id, two.client_id);
      assert.notEqual(one.client_secret, two.client_secret);
    } finally {
      await as.close();
    }
  });

  it('cannot be chosen from outside', async () => {
    const as = await startAuthorizationServer();
    try {
      const victim = await register(as);
      const thief = await register(as, {
        client_id: victim.client_id,
        redirect_uris: ['https://evil.example/cb'],
      });
      assert.notEqual(thief.client_id, victim.client_id);
      const request = codeRequest(as, victim.client_id, { redirect_uri: 'https://evil.example/cb' });
      assert.equal((await fetch(request.url, { redirect: 'manual' })).status, 400);
    } finally {
      await as.close();
    }
  });
});

describe('registrations', () => {
  it('are bounded for each address, an IPv6 network counting as one', async () => {
    let address = '2001:db8::1';
    const as = await startAuthorizationServer({
      address: () => address,
      clients: { dynamicRegistration: { maxPerHour: 100, maxPerHourAndAddress: 2, unusedDays: 7 } },
    });
    try {
      const status = async () => {
        const body = { redirect_uris: [redirectUri], software_id: randomUUID() };
        return (await postJson(`${as.issuer}/register`, body)).status;
      };
      assert.deepEqual([await status(), await status()], [201, 201]);
      address = '2001:db8::ffff:2';
      assert.equal(await status(), 429);
      address = '2001:db8:0:1::1';
      assert.equal(await status(), 201);
    } finally {
      await as.close();
    }
  });

  it('of web applications are held to https and the exact URI', async () => {
    const as = await startAuthorizationServer();
    try {
      const web = { application_type: 'web', redirect_uris: ['https://client.example/cb'] };
      const { client_id } = await register(as, web);
      for (const redirect_uri of [
        'https://client.example:444/cb',
        'https://client.example/cb?x',
        redirectUri,
      ]) {
        const { url } = codeRequest(as, client_id, { redirect_uri });
        assert.equal((await fetch(url, { redirect: 'manual' })).status, 400, redirect_uri);
      }
      for (const uri of [redirectUri, 'http://localhost/cb', 'cursor://cb']) {
        const response = await postJson(`${as.issuer}/register`, { ...web, redirect_uris: [uri] });
        assert.equal(response.status, 400, uri);
      }
    } finally {
      await as.close();
    }
  });

  it('may name the schemes of the configuration and no others', async () => {
    const as = await startAuthorizationServer({ clients: { redirectSchemes: ['ourapp'] } });
    try {
      const { client_id } = await register(as, { redirect_uris: ['ourapp://callback'] });
      const back = await signInAndConsent(
        codeRequest(as, client_id, { redirect_uri: 'ourapp://callback' }).url,
        alice,
      );
      assert.ok(back.searchParams.get('code'));
      for (const uri of ['cursor://callback', 'ourapps://callback', 'javascript:ourapp://x']) {
        assert.equal((await postJson(`${as.issuer}/register`, { redirect_uris: [uri] })).status, 400, uri);
      }
    } finally {
      await as.close();
    }
  });
});

describe('the consent page', () => {
  it('warns of clients that any program on the computer can pose as', async () => {
    const local = 'https://client.example/local.json';
    const both = 'https://client.example/both.json';
    const uris: Record<string, string[]> = {
      [local]: ['http://127.0.0.1/callback', 'http://localhost/callback'],
      [both]: ['http://127.0.0.1/callback', 'https://client.example/callback'],
    };
    const cimdFetch = (async (url: string | URL) =>
      Response.json({ client_id: String(url), redirect_uris: uris[String(url)] })) as unknown as typeof fetch;
    const as = await startAuthorizationServer({ options: { cimdFetch } });
    try {
      for (const [id, warned] of [
        [local, true],
        [both, false],
      ] as const) {
        const browser = new Browser();
        const { url } = codeRequest(as, id, { redirect_uri: 'http://127.0.0.1/callback' });
        const started = await browser.request(url.href);
        const signIn = await browser.request(started.headers.get('location') ?? '');
        const [form] = formsOf(await signIn.text());
        let response = await browser.submit(form?.action ?? '', { ...form?.fields, ...alice });
        for (let step = 0; step < 2; step += 1) {
          response = await browser.request(response.headers.get('location') ?? '');
        }
        const html = await response.text();
        assert.match(html, /Described by \(verified\)/);
        assert.equal(/pose as this application/.test(html), warned, id);
      }
    } finally {
      await as.close();
    }
  });
});
