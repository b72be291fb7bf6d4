import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { jwtBearerGrant, tokenExchangeGrant } from '../../../src/authorization-server/clients/index.ts';
import type { Log } from '../../../src/base/index.ts';
import { machine, startWith } from '../../authorization-server/machines/support.ts';
import {
  alice,
  Browser,
  codeRequest,
  formsOf,
  obtainToken,
  postJson,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  signInAndConsent,
} from '../../authorization-server/support.ts';
import { Canaries } from './canaries.ts';

/** Parameters that carry, or may be mistaken to carry, a secret. */
const secretFields = [
  ...[
    'code',
    'code_verifier',
    'refresh_token',
    'client_secret',
    'assertion',
    'client_assertion',
    'token',
    'password',
  ],
  ...[
    'subject_token',
    'actor_token',
    'request',
    'id_token_hint',
    'login_hint',
    'nonce',
    'username',
    'unknown_field',
  ],
];
const grants = [
  ...[
    'authorization_code',
    'refresh_token',
    'client_credentials',
    'password',
    jwtBearerGrant,
    tokenExchangeGrant,
  ],
  'urn:ietf:params:oauth:grant-type:device_code',
];

interface Heard {
  readonly canaries: Canaries;
  readonly answers: string[];
}

it('errors of the authorization server hold nothing of what was sent: events, log, replies, pages, store', {
  timeout: 120_000,
}, async () => {
  const logged: string[] = [];
  const write = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const as = await startWith(
    [machine({ id: 'robot', grants: ['client_credentials', 'jwt_bearer', 'token_exchange'] })],
    { log },
  );
  const heard: Heard = { canaries: new Canaries(), answers: [] };
  try {
    const { client_id } = await register(as);
    await tokenEndpoints(as, client_id, heard);
    await authorizationRequests(as, client_id, heard);
    await registrations(as, heard);
    await pages(as, client_id, heard);
    await goodFlow(as, client_id, heard);
    const places = new Map([
      ['the events', JSON.stringify(as.events)],
      ['the log', logged.join('\n')],
      ['an answer', heard.answers.join('\n')],
    ]);
    for (const file of globSync('*', { cwd: as.dataDir }))
      places.set(file, readFileSync(join(as.dataDir, file), 'latin1'));
    assert.ok(as.events.length > 100 && heard.canaries.size > 300);
    const leaks = [...places].flatMap(([place, text]) =>
      heard.canaries.foundIn(text).map((leak) => `${leak} is in ${place}`),
    );
    assert.deepEqual(leaks, []);
  } finally {
    await as.close();
  }
});

async function keep({ answers }: Heard, asked: Promise<Response>): Promise<string> {
  const response = await asked;
  const text = await response.text();
  answers.push(JSON.stringify([...response.headers]), text);
  return text;
}

function secrets({ canaries }: Heard): Record<string, string> {
  return Object.fromEntries(secretFields.map((name) => [name, `${canaries.make(name)}_0123456789`]));
}

/** Every grant, at every endpoint that takes a form, by clients that there are and are not, in body and header. */
async function tokenEndpoints(as: RunningAuthorizationServer, clientId: string, heard: Heard): Promise<void> {
  const post = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    keep(heard, fetch(`${as.issuer}${path}`, { method: 'POST', headers, body: new URLSearchParams(fields) }));
  for (const path of ['/token', '/revoke', '/introspect', '/par']) {
    for (const grant_type of path === '/token' ? grants : ['']) {
      for (const client_id of [clientId, 'robot', heard.canaries.make('client_id')]) {
        await post(path, { ...secrets(heard), grant_type, client_id, redirect_uri: redirectUri });
        const { client_secret: _left, client_assertion: _too, ...rest } = secrets(heard);
        await post(path, { ...rest, grant_type, client_id, redirect_uri: redirectUri });
        const basic = Buffer.from(`${client_id}:${heard.canaries.make('Basic')}`).toString('base64');
        await post(
          path,
          { ...rest, grant_type },
          { authorization: `Basic ${basic}`, dpop: heard.canaries.make('DPoP') },
        );
      }
    }
    await post(path, {
      grant_type: heard.canaries.make('grant_type'),
      scope: heard.canaries.make('scope'),
      resource: heard.canaries.make('resource'),
    });
    await keep(
      heard,
      fetch(`${as.issuer}${path}`, { method: 'POST', body: heard.canaries.make('no form').repeat(3_000) }),
    );
    await keep(heard, postJson(`${as.issuer}${path}`, secrets(heard)));
    await keep(heard, fetch(`${as.issuer}${path}?${new URLSearchParams(secrets(heard))}`));
  }
}

/** `state` goes back to whoever sent it, by the link of the page or the redirect: that is what it is for. All else does not. */
async function authorizationRequests(
  as: RunningAuthorizationServer,
  clientId: string,
  heard: Heard,
): Promise<void> {
  const faults: Record<string, string | null>[] = [
    { code_challenge: null },
    { code_challenge: heard.canaries.make('code_challenge') },
    { code_challenge_method: heard.canaries.make('code_challenge_method') },
    { response_type: heard.canaries.make('response_type') },
    { resource: `https://${heard.canaries.make('resource')}.example/mcp` },
    { redirect_uri: `https://${heard.canaries.make('redirect_uri')}.example/cb` },
    { request_uri: `urn:ietf:params:oauth:request_uri:${heard.canaries.make('request_uri')}` },
    { response_mode: heard.canaries.make('response_mode') },
    { prompt: heard.canaries.make('prompt') },
    { client_id: heard.canaries.make('client_id') },
    { client_id: `https://${heard.canaries.make('client_id')}.example/client.json` },
  ];
  for (const fault of faults) {
    const { url } = codeRequest(as, clientId, { ...secrets(heard), ...fault });
    await keep(
      heard,
      fetch(url, { redirect: 'manual', headers: { cookie: `_session=${heard.canaries.make('cookie')}` } }),
    );
  }
}

async function registrations(as: RunningAuthorizationServer, heard: Heard): Promise<void> {
  const { canaries } = heard;
  for (const metadata of [
    { redirect_uris: [`javascript:${canaries.make('redirect_uri')}`] },
    { redirect_uris: [`https://user:${canaries.make('userinfo')}@app.example/cb`] },
    {
      redirect_uris: [redirectUri],
      client_secret: canaries.make('client_secret'),
      software_statement: canaries.make('software_statement'),
    },
    {
      redirect_uris: [redirectUri],
      jwks: { keys: [{ kty: 'oct', k: canaries.make('jwk') }] },
      token_endpoint_auth_method: 'private_key_jwt',
    },
    { redirect_uris: [redirectUri], client_name: 7, contacts: [canaries.make('contacts')] },
    {
      redirect_uris: [redirectUri],
      grant_types: [canaries.make('grant_types')],
      unknown: canaries.make('unknown member'),
    },
  ]) {
    // What it registers, a client is told again (RFC 7591 section 3.2.1): nothing of it that was left out.
    await keep(
      heard,
      postJson(`${as.issuer}/register`, metadata, {
        authorization: `Bearer ${canaries.make('initial access token')}`,
      }),
    );
  }
  await keep(
    heard,
    fetch(`${as.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"client_secret": "${canaries.make('broken JSON')}`,
    }),
  );
}

/** What a person types. The name in a form comes back in the form, to whoever typed it: a password does not, in whatever field. */
async function pages(as: RunningAuthorizationServer, clientId: string, heard: Heard): Promise<void> {
  const { canaries } = heard;
  const browser = new Browser();
  const account = await keep(heard, browser.request(`${as.url}/account`));
  const [form] = formsOf(account);
  assert.ok(form);
  for (const fields of [
    { name: alice.name, password: canaries.make('password') },
    { name: 'nobody', password: canaries.make('password') },
    { name: alice.name, password: canaries.make('password'), csrf: canaries.make('csrf') },
    { credential: canaries.make('credential') },
  ])
    await keep(heard, browser.submit(form.action, { ...form.fields, ...fields }));
  await keep(heard, fetch(`${as.url}/setup?token=${canaries.make('setup token')}`));
  await keep(
    heard,
    browser.submit(`${as.url}/setup`, {
      token: canaries.make('setup token'),
      password: canaries.make('password'),
    }),
  );
  for (const path of [
    '/oauth/interaction/',
    '/oauth/authorize/',
    '/connect/',
    '/account/',
    '/oauth/signin/oidc/callback?code=',
    '/nowhere?',
  ])
    await keep(heard, browser.request(`${as.url}${path}${canaries.make('a path')}`));
  await signInAndConsent(codeRequest(as, clientId).url, {
    name: alice.name,
    password: canaries.make('password'),
  }).catch((error: Error) => heard.answers.push(error.message));
}

/** What is issued goes to its owner, whose answer is not kept here, and nowhere else: the store has it by its hash. */
async function goodFlow(as: RunningAuthorizationServer, clientId: string, heard: Heard): Promise<void> {
  const { canaries } = heard;
  const request = codeRequest(as, clientId);
  canaries.add('the verifier', request.verifier);
  const code = (await signInAndConsent(request.url, alice)).searchParams.get('code') ?? '';
  canaries.add('the code', code);
  const fields = { grant_type: 'authorization_code', client_id: clientId, code, redirect_uri: redirectUri };
  const redeem = () =>
    fetch(`${as.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ ...fields, code_verifier: request.verifier }),
    });
  const first = (await (await redeem()).json()) as Record<string, string>;
  canaries.add('the access token', first['access_token']?.split('.')[2] ?? '');
  canaries.add('the refresh token', first['refresh_token'] ?? '');
  await keep(heard, redeem());
  const tokens = await obtainToken(as, clientId);
  canaries.add('the refresh token', tokens.refresh_token);
  const refused = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: tokens.refresh_token,
    scope: 'mcp:tools:admin',
  });
  await keep(heard, fetch(`${as.issuer}/token`, { method: 'POST', body: refused }));
  await keep(
    heard,
    fetch(`${as.issuer}/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: clientId, token: tokens.refresh_token }),
    }),
  );
}
