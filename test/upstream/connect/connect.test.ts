import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, it } from 'node:test';
import { queryAudit } from '../../../src/audit/index.ts';
import { openAccounts } from '../../../src/authorization-server/index.ts';
import { type Log, Secret, systemClock } from '../../../src/base/index.ts';
import {
  alice,
  Browser,
  bob,
  formsOf,
  obtainToken,
  type RunningAuthorizationServer,
  register,
} from '../../authorization-server/support.ts';
import {
  callTool,
  modernCall,
  rpc,
  startTestGateway,
  type TestGateway,
  until,
} from '../../gateway/support.ts';
import { startUpstreamProvider, type UpstreamProvider } from './provider.ts';

const clientSecret = 'canary-client-secret';
const logged: string[] = [];
const replies: string[] = [];
const note = (...parts: unknown[]) => void logged.push(JSON.stringify(parts));
const log: Log = { debug: note, info: note, warn: note, error: note } as unknown as Log;

let provider: UpstreamProvider;
let upstream: Server;
let gateway: TestGateway;
const tokens = new Map<typeof alice, string>();
const seen: { method: string; headers: IncomingHttpHeaders }[] = [];
let refuse = false;

before(async () => {
  provider = await startUpstreamProvider(clientSecret);
  upstream = await startUpstream();
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp`;
  const connect = `{ issuer: "${provider.issuer}", clientId: portcullis, clientSecret: { env: SECRET }, scopes: [tickets] }`;
  const server = (name: string) =>
    `  ${name}:\n    upstream: { url: "${url}", headers: { x-api-key: { env: API_KEY } }, connect: ${connect} }`;
  gateway = await startTestGateway({
    servers: `${server('tickets')}\n${server('files')}`,
    rest: '  embedded: {}\n  vaultKey: { env: VAULT_KEY }',
    audience: ['/tickets/mcp'],
    log,
    environment: {
      SECRET: clientSecret,
      API_KEY: 'key-of-the-gateway',
      VAULT_KEY: randomBytes(32).toString('base64'),
    },
  });
  const accounts = openAccounts(gateway.dataDir, systemClock);
  await accounts.add({ name: alice.name, password: new Secret(alice.password), role: 'admin' });
  await accounts.add({ name: bob.name, password: new Secret(bob.password), role: 'user' });
  accounts.close();
  const as = { issuer: `${gateway.origin}/oauth`, resource: gateway.url } as RunningAuthorizationServer;
  const { client_id } = await register(as);
  for (const credentials of [alice, bob]) {
    const parameters = { scope: 'mcp:tools:read mcp:resources:read' };
    tokens.set(credentials, (await obtainToken(as, client_id, { credentials, parameters })).access_token);
  }
});
after(async () => {
  await gateway.close();
  upstream.closeAllConnections();
  upstream.close();
  await provider.close();
});
beforeEach(() => {
  Object.assign(provider, { life: 3600, down: false, withRefresh: true, delayMs: 0, lieIssuer: null });
  provider.refreshes.length = 0;
  refuse = false;
  const db = new DatabaseSync(join(gateway.dataDir, 'authorization.db'));
  db.exec('DELETE FROM upstream_connections');
  db.close();
});

/** Takes the gateway's key for tools/list, and a living token of the provider for the rest. */
async function startUpstream(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { id, method = '' } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
      seen.push({ method, headers: request.headers });
      const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
      const isOwn = request.headers['x-api-key'] === 'key-of-the-gateway' && method === 'tools/list';
      if (!isOwn && (refuse || !provider.accepted.has(token))) return response.writeHead(401).end();
      const tools = [
        { name: 'whoami', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
      ];
      const result = method === 'tools/list' ? { tools } : { content: [{ type: 'text', text: 'done' }] };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

async function call(who: typeof alice, token = tokens.get(who) ?? '') {
  const answer = await callTool(gateway.url, token, 'whoami');
  replies.push(await answer.clone().text(), JSON.stringify([...answer.headers]));
  const { result, error } = await rpc(answer);
  const content = result?.['content'] as { text: string }[] | undefined;
  return {
    status: answer.status,
    text: content?.[0]?.text ?? '',
    isError: result?.['isError'] === true,
    error,
  };
}

async function assertConnected(who: typeof alice): Promise<void> {
  const answer = await call(who);
  assert.equal(answer.text, 'done', JSON.stringify(answer));
}

async function assertNotConnected(who: typeof alice): Promise<void> {
  const before = seen.filter(({ method }) => method === 'tools/call').length;
  const { status, text, isError } = await call(who);
  assert.equal(status, 200);
  assert.ok(isError, text);
  assert.ok(text.includes(`${gateway.origin}/connect/tickets`), text);
  assert.equal(seen.filter(({ method }) => method === 'tools/call').length, before, 'the call left');
  const record = (await gateway.records()).at(-1);
  assert.equal(record?.reason, 'upstream_not_connected');
  assert.equal(record?.result, 'error');
}

async function signedIn(who: typeof alice, browser = new Browser()): Promise<Browser> {
  const html = await (await browser.request(`${gateway.origin}/account`)).text();
  const form = formsOf(html).find(({ action }) => action.endsWith('/login'));
  assert.ok(form, html);
  assert.equal((await browser.submit(form.action, { ...form.fields, ...who })).status, 303);
  return browser;
}

/** As far as the provider: where it would send the browser back to. */
async function begin(browser: Browser, server = 'tickets'): Promise<string> {
  const html = await (await browser.request(`${gateway.origin}/connect/${server}`)).text();
  const [form] = formsOf(html);
  assert.ok(form, html);
  const page = await browser.submit(form.action, form.fields);
  assert.equal(page.status, 200, await page.clone().text());
  const url = new URL((page.headers.get('refresh') ?? '').replace(/^0; url=/, ''));
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
  assert.equal(url.searchParams.get('redirect_uri'), `${gateway.origin}/connect/${server}/callback`);
  return provider.callbackFor(url);
}

async function finish(browser: Browser, callback: string): Promise<number> {
  const answer = await browser.request(callback);
  replies.push(await answer.text());
  return answer.status;
}

async function connect(who: typeof alice, server = 'tickets'): Promise<Browser> {
  const browser = await signedIn(who);
  assert.equal(await finish(browser, await begin(browser, server)), 303);
  return browser;
}

function store<T>(work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(gateway.dataDir, 'authorization.db'));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

describe('an account of each person at an upstream', () => {
  it('is connected once, and sent with that person’s calls alone', async () => {
    await assertNotConnected(alice);
    const browser = await connect(alice);
    await assertConnected(alice);
    const own = seen.findLast(({ method }) => method === 'tools/call')?.headers;
    assert.match(String(own?.authorization), /^Bearer canary-access-/);
    assert.equal(own?.['x-api-key'], undefined, 'a header of the gateway goes with the call of a person');
    await assertNotConnected(bob);
    const page = await (await browser.request(`${gateway.origin}/connect/tickets`)).text();
    for (const named of ['alice', 'tickets', new URL(provider.issuer).host]) assert.ok(page.includes(named));
  });

  it('is needed for other requests too, which get an error of JSON-RPC', async () => {
    const answer = await modernCall(gateway.url, tokens.get(alice) ?? '', { method: 'tools/list' });
    assert.equal(answer.status, 200);
    const { error } = await rpc(answer);
    assert.equal(error?.data?.['reason'], 'upstream_not_connected');
    assert.ok(error?.message.includes(`${gateway.origin}/connect/tickets`));
  });

  it('cannot be had by callers of another issuer, even under the name of an account', async () => {
    await connect(alice);
    const sub = store((db) =>
      String(db.prepare("SELECT id FROM accounts WHERE name = 'alice'").get()?.['id']),
    );
    const { isError, text } = await call(alice, await gateway.token('mcp:tools:read', { sub }));
    assert.ok(isError);
    assert.match(text, /only people who sign in at this gateway/);
  });

  it('is listed on the account page and ends there, with the token of that form alone', async () => {
    const browser = await connect(alice);
    const html = await (await browser.request(`${gateway.origin}/account`)).text();
    const form = formsOf(html).find(({ action }) => action.endsWith('/connections/end'));
    assert.ok(form, html);
    assert.equal((await browser.submit(form.action, { ...form.fields, csrf: 'x' })).status, 403);
    await assertConnected(alice);
    const other = await signedIn(bob);
    const [ownForm] = formsOf(await (await other.request(`${gateway.origin}/account`)).text());
    await other.submit(form.action, { ...form.fields, csrf: ownForm?.fields['csrf'] ?? '' });
    await assertConnected(alice);
    const kept = [...provider.secrets].slice(-2).reverse();
    provider.revoked.length = 0;
    assert.equal((await browser.submit(form.action, form.fields)).status, 303);
    const both = [`refresh_token ${kept[0]}`, `access_token ${kept[1]}`];
    await until(() => assert.deepEqual(provider.revoked, both));
    await assertNotConnected(alice);
  });
});

describe('attacks on connecting', () => {
  it('a stranger gets no page, and a link connects its reader', async () => {
    const stranger = await new Browser().request(`${gateway.origin}/connect/tickets`);
    assert.equal(stranger.status, 401);
    // Bob's call made the link; alice opens it.
    await assertNotConnected(bob);
    await connect(alice);
    await assertNotConnected(bob);
    await assertConnected(alice);
  });

  it('brings back who had to sign in first, once, and to no other place', async () => {
    const browser = new Browser();
    assert.equal((await browser.request(`${gateway.origin}/connect/tickets`)).status, 401);
    await signedIn(alice, browser);
    const account = await browser.request(`${gateway.origin}/account`);
    assert.deepEqual(
      [account.status, account.headers.get('location')],
      [303, `${gateway.origin}/connect/tickets`],
    );
    assert.equal((await browser.request(`${gateway.origin}/account`)).status, 200, 'once');
    for (const planted of [
      'https://bad.example/',
      '//bad.example',
      '../account/sign-out',
      'nobody',
      'constructor',
      '',
    ]) {
      browser.plant(`portcullis_connect=${planted}; Path=/`);
      const answer = await browser.request(`${gateway.origin}/account`);
      assert.equal(answer.status, 200, planted);
    }
  });

  it('a state is good once', async () => {
    const browser = await signedIn(alice);
    const callback = await begin(browser);
    assert.equal(await finish(browser, callback), 303);
    store((db) => db.exec('DELETE FROM upstream_connections'));
    assert.equal(await finish(browser, callback), 400);
    const fresh = new URL(provider.callbackFor(new URL(`${provider.issuer}/?redirect_uri=${callback}`)));
    fresh.searchParams.set('state', new URL(callback).searchParams.get('state') ?? '');
    assert.equal(await finish(browser, fresh.href), 400);
    await assertNotConnected(alice);
  });

  it('a callback in another browser, of another account or server comes to nothing', async () => {
    const callback = await begin(await signedIn(alice));
    assert.equal(await finish(new Browser(), callback), 401);
    assert.equal(await finish(await signedIn(alice), callback), 400, 'another browser of the same person');
    assert.equal(await finish(await signedIn(bob), callback), 400);
    const shared = await signedIn(alice);
    const second = await begin(shared);
    await signedInAgain(shared, bob);
    assert.equal(await finish(shared, second), 400, 'the account changed meanwhile');
    const third = await signedIn(alice);
    const elsewhere = (await begin(third)).replace('/connect/tickets/', '/connect/files/');
    assert.equal(await finish(third, elsewhere), 400);
    await assertNotConnected(alice);
    await assertNotConnected(bob);
  });

  async function signedInAgain(browser: Browser, who: typeof alice): Promise<void> {
    const html = await (await browser.request(`${gateway.origin}/account`)).text();
    const form = formsOf(html).find(({ action }) => action.endsWith('/sign-out'));
    await browser.submit(form?.action ?? '', form?.fields ?? {});
    await signedIn(who, browser);
  }

  it('a form of another browser or account does not begin', async () => {
    const [mine, other] = [await signedIn(alice), await signedIn(bob)];
    const [form] = formsOf(await (await mine.request(`${gateway.origin}/connect/tickets`)).text());
    assert.equal((await other.submit(form?.action ?? '', form?.fields ?? {})).status, 403);
    assert.equal((await mine.submit(form?.action ?? '', {})).status, 403);
  });

  it('an answer of another issuer, or without a code that is known, is refused', async () => {
    const browser = await signedIn(alice);
    provider.lieIssuer = 'https://evil.example';
    assert.equal(await finish(browser, await begin(browser)), 502);
    provider.lieIssuer = null;
    const forged = new URL(await begin(browser));
    forged.searchParams.set('code', 'guessed');
    assert.equal(await finish(browser, forged.href), 403);
    await assertNotConnected(alice);
    const told = [...queryAudit(gateway.dataDir, { events: true, event: 'connection.failed', limit: 2 })];
    assert.deepEqual(
      told.map((one) => one.phase === 'event' && String(one.data['reason']).split(':')[0]),
      ['refused', 'unavailable'],
    );
  });
});

describe('connections at rest', () => {
  it('open for nobody else: rows that are swapped between people or servers, or changed', async () => {
    await connect(alice);
    await connect(alice, 'files');
    await connect(bob);
    await assertConnected(bob);
    const ids = "SELECT id FROM accounts WHERE name = '%'";
    const of = (name: string) => `account_id = (${ids.replace('%', name)})`;
    store((db) =>
      db.exec(`UPDATE upstream_connections SET sealed = (SELECT sealed FROM upstream_connections
        WHERE server = 'tickets' AND ${of('alice')}) WHERE server = 'tickets' AND ${of('bob')}`),
    );
    await assertNotConnected(bob);
    await assertConnected(alice);
    store((db) =>
      db.exec(`UPDATE upstream_connections SET sealed = (SELECT sealed FROM upstream_connections
        WHERE server = 'files' AND ${of('alice')}) WHERE server = 'tickets' AND ${of('alice')}`),
    );
    await assertNotConnected(alice);
  });

  it('go with the account', async () => {
    await connect(bob);
    store((db) => {
      db.exec('PRAGMA foreign_keys = ON; BEGIN');
      db.exec("DELETE FROM accounts WHERE name = 'bob'");
      assert.equal(db.prepare('SELECT count(*) AS n FROM upstream_connections').get()?.['n'], 0);
      db.exec('ROLLBACK');
    });
  });
});

describe('tokens that end', () => {
  it('are renewed once, however many calls need it', async () => {
    provider.life = 30;
    await connect(alice);
    Object.assign(provider, { life: 3600, delayMs: 100 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => call(alice)));
    assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set(['done']));
    assert.equal(provider.refreshes.length, 1);
    await assertConnected(alice);
    assert.equal(provider.refreshes.length, 1);
  });

  it('end the connection when the provider refuses to renew them', async () => {
    provider.life = 30;
    await connect(alice);
    provider.endRefreshTokens();
    await assertNotConnected(alice);
    assert.equal(
      store((db) => db.prepare('SELECT count(*) AS n FROM upstream_connections').get()?.['n']),
      0,
    );
  });

  it('are sent while they are good when the provider is down, and then nothing is', async () => {
    provider.life = 2;
    await connect(alice);
    provider.down = true;
    await assertConnected(alice);
    await new Promise((done) => setTimeout(done, 2100));
    const count = seen.length;
    assert.equal((await call(alice)).error?.data?.['reason'], 'upstream_unavailable');
    assert.equal(seen.length, count);
    provider.down = false;
    await assertConnected(alice);
  });

  it('are renewed after a 401, or end the connection; the call is not sent again', async () => {
    await connect(alice);
    refuse = true;
    const count = seen.length;
    const { isError, text } = await call(alice);
    assert.ok(isError && text.includes('/connect/tickets'), text);
    assert.equal(seen.length, count + 1);
    refuse = false;
    await assertConnected(alice);
    assert.equal(provider.refreshes.length, 1);
    provider.withRefresh = false;
    await connect(bob);
    refuse = true;
    await call(bob);
    refuse = false;
    await assertNotConnected(bob);
  });
});

it('no token, code or secret is in the log, an answer, or a file of the data directory', async () => {
  await connect(alice);
  await assertConnected(alice);
  const files = ['audit.db', 'audit.db-wal', 'authorization.db', 'authorization.db-wal'];
  const kept = await Promise.all(
    files.map((file) => readFile(join(gateway.dataDir, file), 'latin1').catch(() => '')),
  );
  const everything = [...kept, ...logged, ...replies].join('\n');
  assert.ok(provider.secrets.size > 10 && everything.length > 10_000);
  assert.doesNotMatch(everything, /canary-(access|refresh|code|client)/);
});
