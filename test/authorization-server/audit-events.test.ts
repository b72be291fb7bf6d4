import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { type AuditEvent, queryAudit, type StoredEvent } from '../../src/audit/index.ts';
import { home, run } from '../cli/support/run.ts';
import {
  alice,
  Browser,
  bob,
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

/** What a responder asks of the authorization server's events: each through the requests that cause it. */
describe('events of the authorization server', () => {
  let as: RunningAuthorizationServer;
  const clock = movableClock();
  before(async () => {
    as = await startAuthorizationServer({ clock });
  });
  after(() => as.close());

  /** Events of these names since the last look. */
  const look = (): ((...names: string[]) => AuditEvent[]) => {
    const from = as.events.length;
    return (...names) => as.events.slice(from).filter(({ event }) => names.includes(event));
  };

  it('tell a first start by its key', () => {
    const [created] = as.events.filter(({ event }) => event === 'keys.created');
    assert.match(String(created?.data?.['kid']), /^[\w-]{43}$/);
  });

  it('tell the way from registration to a token, in order, each with who', async () => {
    const seen = look();
    const { client_id } = await register(as);
    const tokens = await obtainToken(as, client_id, { parameters: { scope: 'mcp:tools:read' } });
    assert.equal(tokens.status, 200);
    const names = [
      'client.registered',
      'signin.succeeded',
      'consent.shown',
      'consent.granted',
      'code.issued',
    ];
    const events = seen(...names, 'token.issued');
    assert.deepEqual(
      events.map(({ event }) => event),
      [...names, 'token.issued'],
    );
    for (const event of events) {
      assert.equal(event.client_id, client_id, event.event);
      assert.equal(event.address, '127.0.0.1', event.event);
    }
    const people = new Set(events.slice(1).map(({ subject }) => subject));
    assert.equal(people.size, 1, 'one person did all of it');
    const [, , shown, granted, code, token] = events;
    assert.deepEqual(shown?.data, { resource: as.resource, scopes: 'mcp:tools:read' });
    assert.deepEqual(granted?.data, shown?.data);
    assert.equal(code?.data?.['grant_id'], token?.data?.['grant_id'], 'code and token name their grant');
    assert.equal(code?.data?.['resource'], as.resource);
  });

  it('tell a denied consent', async () => {
    const seen = look();
    const { client_id } = await register(as);
    await signInAndConsent(codeRequest(as, client_id).url, alice, { decision: 'deny' });
    assert.deepEqual(
      seen('consent.shown', 'consent.denied', 'consent.granted', 'authorization.refused').map((e) => e.event),
      ['consent.shown', 'consent.denied'],
      'it is no refusal of ours',
    );
  });

  it('tell whose account a failed sign-in was for, and never what was typed', async () => {
    const seen = look();
    const browser = new Browser();
    const page = await (await browser.request(`${as.url}/account`)).text();
    const [form] = formsOf(page);
    assert.ok(form);
    for (const name of ['bob', 'my password in the wrong field']) {
      await browser.submit(form.action, { ...form.fields, name, password: 'wrong-canary' });
    }
    const [known, unknown] = seen('signin.failed');
    assert.deepEqual(known?.data, { reason: 'wrong' });
    assert.ok(known?.subject);
    assert.equal(unknown?.subject, null);
    assert.doesNotMatch(JSON.stringify([known, unknown]), /wrong-canary|wrong field|bob/);
  });

  it('tell of a sign-out', async () => {
    const seen = look();
    const browser = new Browser();
    const [form] = formsOf(await (await browser.request(`${as.url}/account`)).text());
    assert.ok(form);
    await browser.submit(form.action, { ...form.fields, ...bob });
    const account = await (await browser.request(`${as.url}/account`)).text();
    const out = formsOf(account).find(({ action }) => action.endsWith('/sign-out'));
    assert.ok(out);
    await browser.submit(out.action, out.fields);
    const [came, went] = seen('signin.succeeded', 'signin.ended');
    assert.equal(went?.event, 'signin.ended');
    assert.equal(went?.subject, came?.subject);
  });

  it('tell each failed token request: reason, grant, client where there is one, and no value of the request', async () => {
    const { client_id } = await register(as);
    const canary = 'CANARY-0123456789-0123456789-0123456789-012345';
    const attempts: [
      fields: Record<string, string>,
      expected: Record<string, unknown>,
      client: string | null,
    ][] = [
      [
        {
          grant_type: 'authorization_code',
          client_id,
          code: canary,
          redirect_uri: redirectUri,
          code_verifier: canary,
        },
        { reason: 'invalid_grant', detail: 'authorization code not found', grant: 'authorization_code' },
        client_id,
      ],
      [
        { grant_type: 'refresh_token', client_id, refresh_token: canary },
        { reason: 'invalid_grant', detail: 'refresh token not found', grant: 'refresh_token' },
        client_id,
      ],
      [{ grant_type: canary, client_id }, { reason: 'unsupported_grant_type', grant: null }, client_id],
      [
        { grant_type: 'refresh_token', client_id: canary, client_secret: canary, refresh_token: canary },
        { reason: 'invalid_client', grant: 'refresh_token' },
        null,
      ],
      [{ grant_type: 'client_credentials', client_id, client_secret: canary }, {}, client_id],
      [{ client_id, client_assertion: canary, client_assertion_type: canary }, {}, null],
    ];
    for (const [fields, expected, client] of attempts) {
      const seen = look();
      const { status } = await requestToken(as, fields);
      assert.ok(status === 400 || status === 401);
      const [refused, another] = seen('token.refused');
      assert.ok(refused && another === undefined, JSON.stringify(fields));
      for (const [name, value] of Object.entries(expected)) assert.equal(refused.data?.[name], value, name);
      assert.equal(refused.client_id, client);
      assert.equal(refused.address, '127.0.0.1');
      assert.doesNotMatch(JSON.stringify(refused), /CANARY/);
    }
  });

  it('tell a token request that is too large to be read', async () => {
    const seen = look();
    await fetch(`${as.issuer}/token`, { method: 'POST', body: `code=${'x'.repeat(40_000)}` });
    assert.deepEqual(seen('token.refused')[0]?.data, { reason: 'invalid_request', detail: 'too large' });
  });

  it('tell a code that comes twice, whose it was, and that everything from it has ended', async () => {
    const { client_id } = await register(as);
    const request = codeRequest(as, client_id);
    const code = (await signInAndConsent(request.url, alice)).searchParams.get('code') ?? '';
    const fields = { grant_type: 'authorization_code', client_id, code, redirect_uri: redirectUri };
    const redeem = () => requestToken(as, { ...fields, code_verifier: request.verifier });
    assert.equal((await redeem()).status, 200);
    const seen = look();
    assert.equal((await redeem()).status, 400);
    const events = seen('code.reused', 'token.revoked', 'token.refused');
    assert.deepEqual(events.map(({ event }) => event).sort(), [
      'code.reused',
      'token.refused',
      'token.revoked',
    ]);
    for (const { event, client_id: client, subject } of events) {
      assert.equal(client, client_id, event);
      assert.ok(subject || event === 'token.refused', event);
    }
    assert.doesNotMatch(JSON.stringify(events), new RegExp(code));
  });

  it('tell a refresh token that comes twice with the grant that ended', async () => {
    const { client_id } = await register(as);
    const { refresh_token } = await obtainToken(as, client_id);
    const next = await refresh(as, client_id, refresh_token);
    assert.equal(next.status, 200);
    clock.advance(60_000);
    const seen = look();
    assert.equal((await refresh(as, client_id, refresh_token)).status, 400);
    const [reused] = seen('refresh.reused');
    const [revoked] = seen('token.revoked');
    assert.equal(reused?.data?.['accepted'], false);
    assert.ok(reused?.data?.['grant_id']);
    assert.equal(revoked?.data?.['grant_id'], reused?.data?.['grant_id']);
    assert.equal(revoked?.client_id, client_id);
    assert.ok(revoked?.subject);
  });

  it('tell of a client that shows the access token of another', async () => {
    const [{ client_id: owner }, { client_id: thief }] = [await register(as), await register(as)];
    const { access_token } = await obtainToken(as, owner);
    const seen = look();
    for (const path of ['/introspect', '/revoke']) {
      const body = new URLSearchParams({ client_id: thief, token: access_token });
      assert.equal((await fetch(as.issuer + path, { method: 'POST', body })).status, 200);
    }
    const events = seen('introspection.refused', 'revocation.refused', 'token.revoked');
    assert.deepEqual(
      events.map(({ event, client_id, data }) => [event, client_id, data]),
      ['introspection.refused', 'revocation.refused'].map((event) => {
        return [event, thief, { reason: 'other_client', jti: decodeJwt(access_token).jti }];
      }),
    );
  });

  it('tell a refresh and a revocation by whoever holds the token', async () => {
    const { client_id } = await register(as);
    const { refresh_token } = await obtainToken(as, client_id);
    const seen = look();
    const { refresh_token: next } = await refresh(as, client_id, refresh_token);
    await fetch(`${as.issuer}/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, token: next }),
    });
    const [refreshed, revoked] = seen('token.refreshed', 'token.revoked');
    assert.equal(refreshed?.client_id, client_id);
    assert.equal(revoked?.client_id, client_id);
    assert.equal(revoked?.data?.['grant_id'], refreshed?.data?.['grant_id']);
  });

  it('tell what other endpoints refuse', async () => {
    const { client_id } = await register(as);
    const canary = 'CANARY-0123456789';
    const cases = [
      ['/revoke', { client_id: canary, token: canary }, 'revocation.refused'],
      ['/introspect', { client_id: canary, token: canary }, 'introspection.refused'],
      ['/par', { state: canary }, 'pushed_request.refused'],
      [
        '/par',
        { client_id, response_type: 'token', state: canary, redirect_uri: redirectUri },
        'pushed_request.refused',
      ],
    ] as const;
    for (const [path, fields, name] of cases) {
      const seen = look();
      const paths = { '/par': '/par', '/revoke': '/revoke', '/introspect': '/introspect' };
      await fetch(as.issuer + paths[path], { method: 'POST', body: new URLSearchParams(fields) });
      const [refused] = seen(name);
      assert.ok(refused, `${path}: ${JSON.stringify(as.events.at(-1))}`);
      assert.doesNotMatch(JSON.stringify(refused), /CANARY/);
    }
    const seen = look();
    await fetch(codeRequest(as, client_id, { code_challenge: null, state: canary }).url);
    const [refused] = seen('authorization.refused');
    assert.equal(refused?.client_id, client_id);
    assert.equal(refused?.data?.['reason'], 'invalid_request');
    assert.doesNotMatch(JSON.stringify(refused), /CANARY/);
  });

  it('tell a setup link that is none', async () => {
    const seen = look();
    await fetch(`${as.url}/setup?token=CANARY`);
    assert.deepEqual(seen('setup.refused')[0]?.data, { reason: 'used' });
  });

  it('tell a rotation of the keys with the key before', async () => {
    const running = movableClock();
    const other = await startAuthorizationServer({ clock: running });
    const [created] = other.events;
    await other.server.close();
    running.advance(91 * 24 * 3_600_000);
    const again = await startAuthorizationServer({ clock: running, dataDir: other.dataDir });
    const rotated = again.events.find(({ event }) => event === 'keys.rotated');
    assert.equal(rotated?.data?.['before'], created?.data?.['kid']);
    assert.notEqual(rotated?.data?.['kid'], created?.data?.['kid']);
    await again.close();
    await other.close();
  });
});

it('accounts that the command line adds and removes are on record', async (t) => {
  const cwd = home(t);
  const where = ['--data', join(cwd, 'data')];
  for (const [name, role] of [
    ['root', 'admin'],
    ['carol', 'user'],
  ] as const) {
    const added = await run(
      ['users', 'add', name, '--role', role, '--password-stdin', ...where],
      { cwd },
      `canary ${name} password\n`,
    );
    assert.equal(added.code, 0, added.stderr);
  }
  assert.equal((await run(['users', 'remove', 'carol', ...where], { cwd })).code, 0);
  const events = [...queryAudit(join(cwd, 'data'), { events: true, limit: 9 })].filter(
    (one) => one.phase === 'event' && one.event.startsWith('user.'),
  ) as StoredEvent[];
  const told = events.map(({ event, data }) => `${event} ${data['name']} ${data['role']} ${data['by']}`);
  const by = 'command line';
  assert.deepEqual(told.toReversed(), [
    `user.added root admin ${by}`,
    `user.added carol user ${by}`,
    `user.removed carol user ${by}`,
  ]);
  assert.equal(events[0]?.subject, events[1]?.subject, 'one account');
});

describe('a flood of refused requests', () => {
  it('fills the trail with a bounded number of events, which still say how many came', async () => {
    const clock = movableClock();
    const as = await startAuthorizationServer({ clock, address: (req) => String(req.headers['x-from']) });
    const count = 400;
    const attempt = (from: string) =>
      fetch(`${as.issuer}/token`, {
        method: 'POST',
        headers: { 'x-from': from },
        body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'nobody', refresh_token: 'x' }),
      });
    for (let at = 0; at < count; at += 1) await attempt(`192.0.2.${at % 250}`);
    const refused = () => as.events.filter(({ event }) => event === 'token.refused');
    assert.equal(refused().length, 100);
    clock.advance(60_000);
    await attempt('198.51.100.1');
    const sums = refused().filter(({ data }) => data?.['count'] !== undefined);
    assert.ok(sums.length <= 101);
    const told =
      refused().length - sums.length - 1 + sums.reduce((sum, { data }) => sum + Number(data?.['count']), 0);
    assert.equal(told, count);
    for (const { data } of sums) assert.equal(data?.['reason'], 'invalid_client');

    for (let at = 0; at < 60; at += 1) await attempt('198.51.100.7');
    const fromOne = refused().filter(({ address }) => address === '198.51.100.7');
    assert.equal(fromOne.length, 30, 'one source has a share, not all of it');
    await as.server.close();
    const last = refused().at(-1);
    assert.deepEqual(last?.data, { reason: 'invalid_client', count: 30 });
    assert.equal(last?.address, '198.51.100.7', 'the sum says where they came from');
    await as.close();
  });

  it('of one kind does not hide another kind', async () => {
    const as = await startAuthorizationServer();
    for (let at = 0; at < 130; at += 1) {
      await postJson(`${as.issuer}/register`, { redirect_uris: ['javascript:x'] });
    }
    await fetch(`${as.issuer}/token`, { method: 'POST', body: new URLSearchParams({ client_id: 'nobody' }) });
    assert.equal(as.events.filter(({ event }) => event === 'client.refused').length, 30);
    assert.equal(as.events.filter(({ event }) => event === 'token.refused').length, 1);
    await as.close();
  });
});
