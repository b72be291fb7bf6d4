import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { queryAudit } from '../../src/audit/index.ts';
import { pollMs } from '../../src/authorization-server/maintenance.ts';
import type { TokenIdentity } from '../../src/authorization-server/tokens.ts';
import { systemClock } from '../../src/base/index.ts';
import { runCommandLine } from '../../src/cli/main.ts';
import { terminalOutput } from '../../src/cli/output.ts';
import { run } from '../cli/support/run.ts';
import { until } from '../gateway/support.ts';
import {
  alice,
  Browser,
  bob,
  codeRequest,
  formsOf,
  obtainToken,
  type RunningAuthorizationServer,
  refresh,
  register,
  startAuthorizationServer,
  type TokenAnswer,
} from './support.ts';

function identityOf({ access_token }: TokenAnswer) {
  const {
    jti = '',
    sub = '',
    client_id,
    grant_id,
  } = decodeJwt<{ client_id: string; grant_id: string }>(access_token);
  return { jti, subject: sub, clientId: client_id, grantId: grant_id };
}

describe('the account page', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer();
  });
  after(() => as.close());

  const accountOf = async (browser: Browser) => (await browser.request(`${as.url}/account`)).text();
  const endForms = (html: string) => formsOf(html).filter(({ action }) => action.endsWith('/access/end'));

  it('lists what the person allowed, names escaped, and ends each with its tokens at once', async () => {
    const attack = `Editor <script>alert(1)</script>\u202e`;
    const { client_id } = await register(as, { client_name: attack });
    const browser = new Browser();
    const tokens = await obtainToken(as, client_id, { browser });
    const kept = await obtainToken(as, (await register(as)).client_id, { browser });
    const html = await accountOf(browser);
    assert.ok(html.includes(client_id));
    assert.match(html, /Editor &lt;script&gt;/);
    assert.doesNotMatch(html, /<script>alert|\u202e/);
    assert.match(html, /mcp:tools:read/);
    const { grantId } = identityOf(tokens);
    const form = endForms(html).find(({ fields }) => fields['grant'] === grantId);
    assert.ok(form);
    let heard = 0;
    as.server.onRevoked(() => {
      heard += 1;
    });
    assert.equal((await browser.submit(form.action, form.fields)).status, 303);
    assert.ok(as.server.isRevoked(identityOf(tokens)));
    assert.ok(heard > 0, 'streams are told');
    assert.equal((await refresh(as, client_id, tokens.refresh_token)).error, 'invalid_grant');
    assert.ok(!as.server.isRevoked(identityOf(kept)), 'the other application goes on');
    assert.ok(!(await accountOf(browser)).includes(grantId));
    assert.ok(
      as.events.some(({ event, data }) => event === 'grant.revoked' && data?.['grant_id'] === grantId),
    );
    assert.equal((await browser.submit(form.action, form.fields)).status, 400, 'once');
    // The person may allow it again, and that is another grant.
    const again = await obtainToken(as, client_id, { browser });
    assert.ok(!as.server.isRevoked(identityOf(again)));
  });

  it('ends nothing of another person, without the form’s token, or without a session', async () => {
    const { client_id } = await register(as);
    const mine = await obtainToken(as, client_id, { browser: new Browser() });
    const { grantId } = identityOf(mine);
    const other = new Browser();
    await obtainToken(as, client_id, { browser: other, credentials: bob });
    const [form] = endForms(await accountOf(other));
    assert.ok(form);
    assert.notEqual(form.fields['grant'], grantId);
    assert.equal((await other.submit(form.action, { ...form.fields, grant: grantId })).status, 400);
    assert.equal((await other.submit(form.action, { grant: form.fields['grant'] ?? '' })).status, 403);
    const crossSite = await other.request(form.action, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site' },
      body: new URLSearchParams(form.fields),
    });
    assert.equal(crossSite.status, 403);
    assert.equal((await other.request(`${form.action}?grant=${grantId}`)).status, 404, 'no GET');
    assert.ok(!as.server.isRevoked(identityOf(mine)));
  });
});

describe('remembered consent', () => {
  const clientId = 'https://client.example/client.json';
  const redirect = 'https://client.example/callback';
  const document = {
    client_id: clientId,
    client_name: 'Client',
    redirect_uris: [redirect, 'http://127.0.0.1/callback'],
  };
  let as: RunningAuthorizationServer;
  before(async () => {
    const cimdFetch = (async () => Response.json(document)) as unknown as typeof fetch;
    as = await startAuthorizationServer({ options: { cimdFetch } });
  });
  after(() => as.close());

  const parameters = { redirect_uri: redirect, scope: 'mcp:tools:read mcp:tools:write' };
  /** Signs in at the account page first, so that only the consent can be what is asked for. */
  async function signedIn(credentials: typeof alice): Promise<Browser> {
    const browser = new Browser();
    const [form] = formsOf(await (await browser.request(`${as.url}/account`)).text());
    assert.equal((await browser.submit(form?.action ?? '', { ...form?.fields, ...credentials })).status, 303);
    return browser;
  }
  const isAsked = async (browser: Browser, id: string, more: Record<string, string>) => {
    const response = await browser.request(codeRequest(as, id, more).url.href);
    return /\/oauth\/interaction\//.test(response.headers.get('location') ?? '');
  };

  it('holds for the person in another browser, not for another person, and ends with the grant', async () => {
    const first = await obtainToken(as, clientId, { parameters });
    const browser = await signedIn(alice);
    assert.ok(!(await isAsked(browser, clientId, parameters)), 'another browser, the same person');
    assert.ok(await isAsked(await signedIn(bob), clientId, parameters));
    assert.ok(await isAsked(browser, clientId, { ...parameters, prompt: 'consent' }));
    assert.ok(await isAsked(browser, clientId, { ...parameters, scope: 'mcp:tools:admin' }), 'more scopes');
    assert.ok(!(await isAsked(browser, clientId, { ...parameters, scope: 'mcp:tools:read' })), 'fewer');
    assert.ok(await isAsked(browser, clientId, { ...parameters, redirect_uri: 'http://127.0.0.1/callback' }));
    const html = await (await browser.request(`${as.url}/account`)).text();
    const form = formsOf(html).find(({ fields }) => fields['grant'] === identityOf(first).grantId);
    await browser.submit(form?.action ?? '', form?.fields ?? {});
    assert.ok(await isAsked(browser, clientId, parameters), 'revoked');
  });

  it('is not kept for clients that registered themselves, whatever they say they are', async () => {
    const metadata = { redirect_uris: [redirect], application_type: 'web', client_id_issued_at: null };
    const { client_id } = await register(as, metadata);
    const browser = new Browser();
    await obtainToken(as, client_id, { browser, parameters });
    assert.ok(await isAsked(browser, client_id, parameters));
  });
});

describe('portcullis revoke, beside a running server', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({ options: { revokedWithinSeconds: 2 } });
  });
  after(() => as.close());

  /** Here, by connections of its own: five starts of the program would be most of what the test takes. */
  async function portcullis(...parameters: string[]): Promise<{ code: number; stdout: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const code = await runCommandLine(parameters, {
      ...{ output: terminalOutput({}, { stdout, stderr }), environment: {}, cwd: as.dataDir },
      ...{ clock: systemClock, stdin: Readable.from([]), self: 'portcullis' },
      json: parameters.includes('--json'),
    });
    return { code, stdout: String(stdout.read() ?? '') };
  }
  /** After `--`: ids are random, and one in 64 begins like an option. */
  async function revoke(kind: string, id: string): Promise<void> {
    assert.equal((await portcullis('revoke', '--data', as.dataDir, '--', kind, id)).code, 0);
  }
  /** How soon it looks is a matter of `pollMs`; how long a look takes, of the machine. */
  const isSoonRevoked = (tokens: TokenIdentity) =>
    until(() => assert.ok(as.server.isRevoked(tokens)), 30_000);

  it('is heard of at the second look, should one come late', () => {
    for (const within of [1, 2, 5, 60]) assert.ok(pollMs(within) * 2 < within * 1_000);
  });

  it('ends a grant, a client, a person and one token within the time, and leaves the rest alone', async () => {
    const { client_id } = await register(as);
    const other = await register(as);
    const [one, two, three, bobs] = [
      await obtainToken(as, client_id),
      await obtainToken(as, client_id),
      await obtainToken(as, other.client_id),
      await obtainToken(as, other.client_id, { credentials: bob }),
    ];
    let heard = 0;
    as.server.onRevoked(() => {
      heard += 1;
    });
    const listed = await portcullis('grants', 'list', '--user', 'alice', '--data', as.dataDir, '--json');
    const { grants } = JSON.parse(listed.stdout) as { grants: { id: string; user: string }[] };
    assert.equal(grants.length, 3);
    assert.ok(grants.every(({ user }) => user === 'alice'));

    await revoke('grant', identityOf(one).grantId);
    await isSoonRevoked(identityOf(one));
    assert.ok(heard > 0);
    assert.ok(!as.server.isRevoked(identityOf(two)));
    assert.equal((await refresh(as, client_id, one.refresh_token)).error, 'invalid_grant');

    await revoke('jti', identityOf(bobs).jti);
    await isSoonRevoked(identityOf(bobs));
    assert.equal((await refresh(as, other.client_id, bobs.refresh_token)).status, 200, 'that token alone');

    await revoke('client', client_id);
    await isSoonRevoked(identityOf(two));
    assert.equal((await refresh(as, client_id, two.refresh_token)).error, 'invalid_client');
    assert.ok(!as.server.isRevoked(identityOf(three)));

    await revoke('user', 'alice');
    await isSoonRevoked(identityOf(three));
    const again = await obtainToken(as, other.client_id);
    assert.ok(!as.server.isRevoked(identityOf(again)), 'what is allowed afterwards holds');

    const events = [...queryAudit(as.dataDir, { events: true, limit: 50 })];
    for (const name of ['grant.revoked', 'token.revoked', 'client.revoked', 'user.revoked']) {
      assert.ok(JSON.stringify(events).includes(name), name);
    }
  });

  it('ends the tokens of machines, which have no grant', async () => {
    const machine = { jti: 'x', grantId: null, clientId: 'nightly-job', subject: 'whom it stands for' };
    assert.ok(!as.server.isRevoked(machine));
    const typed = ['revoke', 'client', 'nightly-job', '--data', as.dataDir];
    assert.equal((await run(typed, { cwd: as.dataDir })).code, 0, 'from a process of its own');
    await isSoonRevoked(machine);
  });
});
