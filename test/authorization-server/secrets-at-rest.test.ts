import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { openStore } from '../../src/authorization-server/stores/schema.ts';
import { randomToken, Secret, sha256Hex, systemClock } from '../../src/base/index.ts';
import {
  alice,
  Browser,
  codeRequest,
  formsOf,
  type RunningAuthorizationServer,
  redirectUri,
  refresh,
  register,
  requestToken,
  startAuthorizationServer,
} from './support.ts';

/** Keeps every cookie value that it was ever given. */
class RememberingBrowser extends Browser {
  readonly given: string[] = [];
  override async request(url: string, init?: RequestInit): Promise<Response> {
    const response = await super.request(url, init);
    for (const line of response.headers.getSetCookie()) {
      this.given.push(line.split(';')[0]?.split('=').slice(1).join('=') ?? '');
    }
    return response;
  }
}

describe('the store of the authorization server', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  const stored = () =>
    readdirSync(as.dataDir)
      .filter((file) => file.startsWith('authorization.db'))
      .map((file) => readFileSync(join(as.dataDir, file), 'latin1'))
      .join('\n');

  it('holds nothing that was handed out in a form that can be presented, in no file and no log of writes', async () => {
    const client = await register(as, { token_endpoint_auth_method: 'client_secret_post' });
    const secret = client.client_secret ?? '';
    assert.ok(secret.length >= 32);
    const handedOut = [secret];
    const browser = new RememberingBrowser();

    // Pushed, so that the request_uri is looked for too; left open once, so that an interaction is.
    const pushed = async () => {
      const { url, verifier } = codeRequest(as, client.client_id);
      const body = new URLSearchParams(url.searchParams);
      body.set('client_secret', secret);
      const answer = await fetch(`${as.issuer}/par`, { method: 'POST', body });
      assert.equal(answer.status, 201, await answer.clone().text());
      const { request_uri } = (await answer.json()) as { request_uri: string };
      handedOut.push(request_uri.split(':').at(-1) ?? '');
      return {
        verifier,
        url: `${as.issuer}/authorize?client_id=${client.client_id}&request_uri=${request_uri}`,
      };
    };
    const leftOpen = await browser.request((await pushed()).url);
    handedOut.push((leftOpen.headers.get('location') ?? '').split('/').at(-1) ?? '');

    const { url, verifier } = await pushed();
    let response = await browser.request(url);
    let code = '';
    for (let step = 0; step < 8 && code === ''; step += 1) {
      const location = response.headers.get('location');
      if (location?.startsWith(redirectUri)) code = new URL(location).searchParams.get('code') ?? '';
      else if (location) response = await browser.request(location);
      else {
        const [form] = formsOf(await response.text()).filter(({ action }) => /(login|consent)$/.test(action));
        assert.ok(form);
        response = await browser.submit(form.action, { ...form.fields, ...alice, decision: 'allow' });
      }
    }
    assert.notEqual(code, '');
    handedOut.push(code);
    const tokens = await requestToken(as, {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      client_secret: secret,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    handedOut.push(tokens.refresh_token, tokens.access_token);
    const refreshed = await refresh(as, client.client_id, tokens.refresh_token, { client_secret: secret });
    assert.equal(refreshed.status, 200);
    handedOut.push(refreshed.refresh_token, refreshed.access_token);
    handedOut.push(...browser.given.filter((value) => value.length >= 16));
    assert.ok(handedOut.length >= 12, String(handedOut.length));

    const files = stored();
    assert.ok(files.includes(sha256Hex(refreshed.refresh_token)), 'the right files are read');
    for (const value of handedOut) {
      assert.ok(value.length >= 16, value);
      assert.ok(!files.includes(value), `readable in the store: ${value.slice(0, 8)}…`);
    }
  });

  it('holds no password and no setup token', async () => {
    const accounts = openAccounts(as.dataDir, systemClock);
    const password = `long ${randomToken()}`;
    await accounts.add({ name: 'carol', password: new Secret(password), role: 'user' });
    accounts.close();
    assert.ok(!stored().includes(password));
  });

  it('does not take what it stores for what it stands for', async () => {
    const client = await register(as, { token_endpoint_auth_method: 'client_secret_post' });
    const db = openStore(as.dataDir);
    const row = db.prepare("SELECT payload FROM records WHERE kind = 'Client' AND id = :id").get({
      id: client.client_id,
    });
    const kept = (JSON.parse(String(row?.['payload'])) as { client_secret: string }).client_secret;
    db.close();
    assert.match(kept, /^sha256:[0-9a-f]{64}$/);
    for (const client_secret of [kept, kept.slice(7), '', 'x', `${client.client_secret} `]) {
      const answer = await refresh(as, client.client_id, 'x', { client_secret });
      assert.equal(answer.error, 'invalid_client', client_secret);
    }
    const right = await refresh(as, client.client_id, 'x', { client_secret: client.client_secret ?? '' });
    assert.equal(right.error, 'invalid_grant', 'the client is authenticated, its token is not there');
  });
});
