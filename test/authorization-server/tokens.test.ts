import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, systemClock } from '../../src/base/index.ts';
import {
  alice,
  bob,
  codeRequest,
  errorTarget,
  movableClock,
  obtainToken,
  type RunningAuthorizationServer,
  refresh,
  register,
  signInAndConsent,
  startAuthorizationServer,
  type TokenAnswer,
} from './support.ts';

function identity(token: string) {
  const claims = decodeJwt<{ client_id: string; grant_id: string }>(token);
  assert.ok(claims.jti && claims.sub);
  return { jti: claims.jti, subject: claims.sub, clientId: claims.client_id, grantId: claims.grant_id };
}

async function post(as: RunningAuthorizationServer, path: string, fields: Record<string, string>) {
  const response = await fetch(as.issuer + path, { method: 'POST', body: new URLSearchParams(fields) });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

describe('resource', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  it('is the only server for a client that names none (trap 11)', async () => {
    const { client_id } = await register(as);
    const { access_token } = await obtainToken(as, client_id, { parameters: { resource: null } });
    assert.equal(decodeJwt(access_token).aud, as.resource);
  });

  it('may carry one trailing slash more, and becomes the configured string (trap 12)', async () => {
    const { client_id } = await register(as);
    const parameters = { resource: `${as.resource}/` };
    const answer = await obtainToken(as, client_id, { parameters });
    assert.equal(decodeJwt(answer.access_token).aud, as.resource);
    const refreshed = await refresh(as, client_id, answer.refresh_token, parameters);
    assert.equal(decodeJwt(refreshed.access_token).aud, as.resource);
  });

  it('is an origin with the slash that URL libraries add', async () => {
    const root = await startAuthorizationServer({ resources: [''] });
    try {
      const { client_id } = await register(root);
      const { access_token } = await obtainToken(root, client_id, {
        parameters: { resource: `${root.url}/` },
      });
      assert.equal(decodeJwt(access_token).aud, root.url);
    } finally {
      await root.close();
    }
  });

  it('is refused when it is another, at both endpoints', async () => {
    const { client_id } = await register(as);
    for (const resource of [
      `${as.url}/other`,
      `${as.resource}//`,
      `${as.resource}?x=1`,
      as.resource.replace('/mcp', '/MCP'),
      'https://evil.example/mcp',
      'not a url',
    ]) {
      const response = await fetch(codeRequest(as, client_id, { resource }).url, { redirect: 'manual' });
      const { searchParams } = await errorTarget(response);
      assert.equal(searchParams.get('error'), 'invalid_target', resource);
      assert.equal(searchParams.get('iss'), as.issuer);
    }
    const { refresh_token } = await obtainToken(as, client_id);
    const refused = await refresh(as, client_id, refresh_token, { resource: 'https://evil.example/mcp' });
    assert.equal(refused.error, 'invalid_target');
  });
});

describe('refresh tokens', () => {
  it('rotate, and three concurrent refreshes all succeed (trap 10)', async () => {
    const as = await startAuthorizationServer();
    try {
      const { client_id } = await register(as);
      const { refresh_token } = await obtainToken(as, client_id);
      const answers = await Promise.all([1, 2, 3].map(() => refresh(as, client_id, refresh_token)));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      for (const { refresh_token: next } of answers) {
        assert.equal((await refresh(as, client_id, next)).status, 200);
      }
      const reused = as.events.filter(({ event }) => event === 'refresh.reused');
      assert.equal(reused.length, 2);
      assert.ok(reused.every(({ data, client_id: who }) => data?.['accepted'] === true && who === client_id));
    } finally {
      await as.close();
    }
  });

  it('end with their family when one is used again after the grace time', async () => {
    const clock = movableClock();
    const as = await startAuthorizationServer({ clock });
    try {
      const { client_id } = await register(as);
      const first = await obtainToken(as, client_id);
      const second = await refresh(as, client_id, first.refresh_token);
      clock.advance(11_000);
      const stolen = await refresh(as, client_id, first.refresh_token);
      assert.deepEqual([stolen.status, stolen.error], [400, 'invalid_grant']);
      assert.equal((await refresh(as, client_id, second.refresh_token)).error, 'invalid_grant');
      assert.ok(as.server.isRevoked(identity(second.access_token)));
      const [reused] = as.events.filter(({ event }) => event === 'refresh.reused');
      assert.equal(reused?.data?.['accepted'], false);
      assert.equal(reused?.client_id, client_id);
    } finally {
      await as.close();
    }
  });

  it('end with their family when one is used again after its successor was, however soon', async () => {
    const as = await startAuthorizationServer();
    try {
      const { client_id } = await register(as);
      const first = await obtainToken(as, client_id);
      const second = await refresh(as, client_id, first.refresh_token);
      const third = await refresh(as, client_id, second.refresh_token);
      const stolen = await refresh(as, client_id, first.refresh_token);
      assert.deepEqual([stolen.status, stolen.error], [400, 'invalid_grant']);
      assert.equal((await refresh(as, client_id, third.refresh_token)).error, 'invalid_grant');
      assert.ok(as.server.isRevoked(identity(third.access_token)));
    } finally {
      await as.close();
    }
  });

  it('do not let a thief go on within the grace time for ever', async () => {
    const as = await startAuthorizationServer();
    try {
      const { client_id } = await register(as);
      const first = await obtainToken(as, client_id);
      const answers: TokenAnswer[] = [];
      for (let count = 0; count < 15; count += 1) {
        answers.push(await refresh(as, client_id, first.refresh_token));
      }
      assert.equal(answers.at(-1)?.error, 'invalid_grant');
      assert.ok(as.server.isRevoked(identity(first.access_token)));
    } finally {
      await as.close();
    }
  });

  it('may narrow the scope and never widen it', async () => {
    const as = await startAuthorizationServer();
    try {
      const { client_id } = await register(as);
      const { refresh_token } = await obtainToken(as, client_id, {
        parameters: { scope: 'mcp:tools:read mcp:tools:write' },
      });
      const narrow = await refresh(as, client_id, refresh_token, { scope: 'openid mcp:tools:read' });
      assert.equal(narrow.scope, 'mcp:tools:read');
      const wide = await refresh(as, client_id, narrow.refresh_token, { scope: 'mcp:tools:admin' });
      assert.equal(wide.error, 'invalid_scope');
      assert.equal(
        (await refresh(as, client_id, narrow.refresh_token)).scope,
        'mcp:tools:read mcp:tools:write',
      );
    } finally {
      await as.close();
    }
  });

  it('are useless to another client', async () => {
    const as = await startAuthorizationServer();
    try {
      const [mine, other] = [await register(as), await register(as)];
      const { refresh_token } = await obtainToken(as, mine.client_id);
      assert.equal((await refresh(as, other.client_id, refresh_token)).error, 'invalid_grant');
      assert.equal((await refresh(as, mine.client_id, refresh_token)).status, 200);
    } finally {
      await as.close();
    }
  });

  it('survive a restart; so do revocations', async () => {
    const first = await startAuthorizationServer();
    const { client_id } = await register(first);
    const kept = await obtainToken(first, client_id);
    const revoked = await obtainToken(first, client_id);
    await post(first, '/revoke', { token: revoked.refresh_token, client_id });
    await first.server.close();
    const second = await startAuthorizationServer({ dataDir: first.dataDir });
    try {
      assert.equal((await refresh(second, client_id, revoked.refresh_token)).error, 'invalid_grant');
      assert.ok(second.server.isRevoked(identity(revoked.access_token)));
      assert.ok(!second.server.isRevoked(identity(kept.access_token)));
      assert.deepEqual(second.server.keys(), first.server.keys());
    } finally {
      await second.close();
      await first.close();
    }
  });
});

describe('revocation and introspection (trap 13)', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  it('introspects an access token for its own client alone', async () => {
    const [mine, other] = [await register(as), await register(as)];
    const { access_token } = await obtainToken(as, mine.client_id);
    const answer = await post(as, '/introspect', { token: access_token, client_id: mine.client_id });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.active, true);
    assert.equal(answer.body.aud, as.resource);
    assert.equal(answer.body.client_id, mine.client_id);
    assert.equal(answer.body.scope, 'mcp:tools:read mcp:resources:read');
    const foreign = await post(as, '/introspect', { token: access_token, client_id: other.client_id });
    assert.deepEqual(foreign.body, { active: false });
    const nobody = await post(as, '/introspect', { token: access_token, client_id: 'nobody' });
    assert.equal(nobody.status, 401);
    assert.equal((await post(as, '/introspect', { token: access_token })).status, 400);
  });

  it('calls a token with another signature inactive', async () => {
    const { client_id } = await register(as);
    const { access_token } = await obtainToken(as, client_id);
    const [header = '', payload = '', signature = ''] = access_token.split('.');
    const forged = [
      `${header}.${payload}.${signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`,
      `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`,
      `${header}.${Buffer.from(JSON.stringify({ ...decodeJwt(access_token), scope: 'x' })).toString('base64url')}.${signature}`,
    ];
    for (const token of forged) {
      assert.deepEqual((await post(as, '/introspect', { token, client_id })).body, { active: false });
    }
  });

  it('revokes an access token with 200, tells listeners, and leaves its refresh token alone', async () => {
    const { client_id } = await register(as);
    const { access_token, refresh_token } = await obtainToken(as, client_id);
    let told = 0;
    as.server.onRevoked(() => {
      told += 1;
    });
    assert.ok(!as.server.isRevoked(identity(access_token)));
    assert.equal((await post(as, '/revoke', { token: access_token, client_id })).status, 200);
    assert.ok(as.server.isRevoked(identity(access_token)));
    assert.equal(told, 1);
    assert.deepEqual((await post(as, '/introspect', { token: access_token, client_id })).body, {
      active: false,
    });
    assert.equal((await refresh(as, client_id, refresh_token)).status, 200);
  });

  it('does not let one client revoke the token of another, and says 200 all the same (RFC 7009)', async () => {
    const [mine, other] = [await register(as), await register(as)];
    const { access_token, refresh_token } = await obtainToken(as, mine.client_id);
    for (const token of [access_token, refresh_token, 'garbage', 'a.b.c']) {
      assert.equal((await post(as, '/revoke', { token, client_id: other.client_id })).status, 200, token);
    }
    assert.ok(!as.server.isRevoked(identity(access_token)));
    assert.equal((await refresh(as, mine.client_id, refresh_token)).status, 200);
  });

  it('ends every access token of a grant when its refresh token is revoked', async () => {
    const { client_id } = await register(as);
    const first = await obtainToken(as, client_id);
    const second = await refresh(as, client_id, first.refresh_token);
    const other = await obtainToken(as, client_id);
    assert.equal((await post(as, '/revoke', { token: second.refresh_token, client_id })).status, 200);
    assert.ok(as.server.isRevoked(identity(first.access_token)));
    assert.ok(as.server.isRevoked(identity(second.access_token)));
    assert.ok(!as.server.isRevoked(identity(other.access_token)), 'another consent is another grant');
    assert.equal((await refresh(as, client_id, second.refresh_token)).error, 'invalid_grant');
  });

  it('notices within two seconds what another process revoked: a removed user, a changed password', async () => {
    const { client_id } = await register(as);
    const accounts = openAccounts(as.dataDir, systemClock);
    try {
      const carol = { name: 'carol', password: 'a third long password' };
      await accounts.add({ name: carol.name, password: new Secret(carol.password), role: 'user' });
      const tokens = [
        await obtainToken(as, client_id, { credentials: carol }),
        await obtainToken(as, client_id, { credentials: bob }),
        await obtainToken(as, client_id),
      ];
      accounts.remove('carol');
      await accounts.setPassword('bob', new Secret('a changed long password'));
      await delay(1_500);
      const revoked = tokens.map(({ access_token }) => as.server.isRevoked(identity(access_token)));
      assert.deepEqual(revoked, [true, true, false]);
      for (const { refresh_token } of tokens.slice(0, 2)) {
        assert.equal((await refresh(as, client_id, refresh_token)).error, 'invalid_grant');
      }
      const again = await obtainToken(as, client_id, {
        credentials: { name: 'bob', password: 'a changed long password' },
      });
      assert.ok(!as.server.isRevoked(identity(again.access_token)));
    } finally {
      accounts.close();
    }
  });

  it('records issue, refresh and revocation with jti and scopes, and no secret anywhere', async () => {
    const { client_id } = await register(as);
    const { url } = codeRequest(as, client_id);
    const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
    const first = await obtainToken(as, client_id);
    const second = await refresh(as, client_id, first.refresh_token);
    await post(as, '/revoke', { token: second.access_token, client_id });
    const mine = as.events.filter((event) => event.client_id === client_id);
    for (const [event, token] of [
      ['token.issued', first],
      ['token.refreshed', second],
      ['token.revoked', second],
    ] as const) {
      const { jti, subject } = identity(token.access_token);
      const found = mine.find((entry) => entry.event === event && entry.data?.['jti'] === jti);
      assert.ok(found, event);
      assert.equal(found.subject, subject);
      assert.equal(found.address, '127.0.0.1');
    }
    assert.ok(mine.some(({ event }) => event === 'client.registered'));
    assert.ok(mine.some(({ event }) => event === 'consent.granted'));
    assert.ok(mine.some(({ event }) => event === 'signin.succeeded'));
    const text = JSON.stringify(as.events);
    for (const secret of [
      alice.password,
      code,
      first.access_token,
      first.refresh_token,
      second.refresh_token,
    ]) {
      assert.ok(secret.length > 10 && !text.includes(secret));
    }
  });
});
