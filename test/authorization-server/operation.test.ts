import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type Log, silentLog } from '../../src/base/index.ts';
import {
  alice,
  codeRequest,
  movableClock,
  obtainToken,
  refresh,
  register,
  signInAndConsent,
  startAuthorizationServer,
} from './support.ts';

describe('operation', () => {
  it('signs with a new key after 90 days, and what the old one signed stays good', async () => {
    const clock = movableClock();
    const first = await startAuthorizationServer({ clock });
    const { client_id } = await register(first);
    const old = await obtainToken(first, client_id);
    await first.server.close();
    clock.advance(91 * 24 * 3_600_000);
    const second = await startAuthorizationServer({
      clock,
      dataDir: first.dataDir,
      clients: {
        dynamicRegistration: { maxPerHour: 60, maxPerHourAndAddress: 60, unusedDays: 365 },
      },
    });
    try {
      assert.ok(second.events.some(({ event }) => event === 'keys.rotated'));
      const now = await obtainToken(second, (await register(second)).client_id);
      const find = createLocalJWKSet(second.server.keys());
      const [before, after] = [
        await jwtVerify(old.access_token, find),
        await jwtVerify(now.access_token, find),
      ];
      assert.notEqual(before.protectedHeader.kid, after.protectedHeader.kid);
      assert.equal(after.protectedHeader.kid, second.server.keys().keys[0]?.kid);
    } finally {
      await second.close();
      await first.close();
    }
  });

  it('prints nothing: everything goes to the log and the audit (traps 16 and 19)', async (context) => {
    const printed: string[] = [];
    for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      context.mock.method(console, method, (...parts: unknown[]) => printed.push(parts.join(' ')));
    }
    const logged: string[] = [];
    const record = (fields: object, message: string) => logged.push(JSON.stringify(fields) + message);
    const log: Log = { ...silentLog, info: record, warn: record, error: record };
    const as = await startAuthorizationServer({ log });
    try {
      const { client_id } = await register(as);
      const { refresh_token } = await obtainToken(as, client_id);
      await refresh(as, client_id, 'garbage');
      await refresh(as, client_id, refresh_token);
      await fetch(codeRequest(as, client_id, { redirect_uri: 'https://evil.example/' }).url);
    } finally {
      await as.close();
    }
    assert.deepEqual(printed, []);
    assert.equal(logged.length, 1);
    assert.match(logged[0] ?? '', /authorization request refused/);
  });

  it('never answers 500 for what a client sends', async () => {
    const faults: string[] = [];
    const log: Log = { ...silentLog, error: (fields) => faults.push(JSON.stringify(fields)) };
    const as = await startAuthorizationServer({ log });
    try {
      const { client_id } = await register(as);
      const { url } = codeRequest(as, client_id);
      const code = (await signInAndConsent(url, alice)).searchParams.get('code') ?? '';
      const junk = randomBytes(64).toString('latin1');
      const requests: [string, RequestInit][] = [
        ['/oauth/authorize', {}],
        ['/oauth/authorize?client_id=a&client_id=b&scope=a&scope=b&resource=%', {}],
        [`/oauth/authorize?${'x'.repeat(8000)}`, {}],
        ['/oauth/authorize?request=a.b.c&client_id=x', {}],
        ['/oauth/authorize/nope', {}],
        ['/oauth/authorize', { method: 'POST', body: 'x=y' }],
        ['/oauth/token', { method: 'POST', body: junk }],
        ['/oauth/token', { method: 'POST', body: new URLSearchParams({ grant_type: '__proto__' }) }],
        ['/oauth/token', { method: 'POST', body: 'x'.repeat(100_000) }],
        ['/oauth/token', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
        ['/oauth/token', { method: 'POST', headers: { authorization: 'Basic %%%' }, body: `code=${code}` }],
        ['/oauth/token', { method: 'DELETE' }],
        ['/oauth/revoke', { method: 'POST', body: new URLSearchParams({ client_id, token: junk }) }],
        ['/oauth/introspect', { method: 'POST', body: new URLSearchParams({ client_id, token: '..' }) }],
        ['/oauth/register', { method: 'POST', body: junk }],
        ['/oauth/register', { method: 'PUT', body: junk }],
        ['/oauth/register/nope', {}],
        ['/oauth/interaction/', {}],
        ['/oauth/interaction/x/login', { method: 'POST', body: junk }],
        ['/oauth/session/end', {}],
        ['/oauth/me', {}],
        ['/oauth/device', {}],
        ['/oauth/request', { method: 'POST' }],
        ['/oauth/%00', {}],
        ['/oauth//authorize', {}],
        ['/setup', { method: 'POST', body: junk }],
        ['/setup', { method: 'DELETE' }],
        ['/account', { method: 'PUT' }],
        ['/account/__proto__', {}],
        ['/oauth/jwks', { method: 'POST' }],
      ];
      for (const [path, init] of requests) {
        const { status } = await fetch(as.url + path, { redirect: 'manual', ...init });
        assert.ok(status >= 200 && status < 500, `${init.method ?? 'GET'} ${path} answers ${status}`);
      }
      await hangUp(as.url);
      assert.deepEqual(faults, []);
    } finally {
      await as.close();
    }
  });
});

/** Announces a body and goes away in the middle of it. */
async function hangUp(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 100));
}
