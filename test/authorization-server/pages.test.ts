import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { html } from 'hono/html';
import { decodeJwt } from 'jose';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { endPage, layout } from '../../src/authorization-server/pages/layout.ts';
import { displayText } from '../../src/authorization-server/pages/text.ts';
import { openStore } from '../../src/authorization-server/stores/schema.ts';
import { Secret, systemClock } from '../../src/base/index.ts';
import { assertInert, hostile, marker } from '../attacks/injection/hostile.ts';
import {
  alice,
  Browser,
  bob,
  codeRequest,
  errorTarget,
  formsOf,
  movableClock,
  obtainToken,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  startAuthorizationServer,
} from './support.ts';

async function openSignIn(as: RunningAuthorizationServer, clientId: string, more = {}) {
  const browser = new Browser();
  const started = await browser.request(codeRequest(as, clientId, more).url.href);
  const url = started.headers.get('location') ?? '';
  const response = await browser.request(url);
  return { browser, url, response, html: await response.clone().text() };
}

async function openConsent(as: RunningAuthorizationServer, clientId: string, more = {}, credentials = alice) {
  const { browser, html } = await openSignIn(as, clientId, more);
  const [form] = formsOf(html);
  let response = await browser.submit(form?.action ?? '', { ...form?.fields, ...credentials });
  let url = '';
  for (let step = 0; step < 2; step += 1) {
    url = response.headers.get('location') ?? '';
    response = await browser.request(url);
  }
  return { browser, url, response, html: await response.clone().text() };
}

describe('sign-in and consent pages', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({
      address: (req) => String(req.headers['x-test-address'] ?? '127.0.0.1'),
    });
  });
  after(() => as.close());

  it('run no script, cannot be framed, leak no referrer, are not stored', async () => {
    const { client_id } = await register(as);
    for (const open of [openSignIn, openConsent]) {
      const { response, html } = await open(as, client_id);
      assert.equal(response.status, 200);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /style-src 'sha256-[^']+'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.match(policy, /base-uri 'none'/);
      assert.match(policy, /form-action 'self' http:\/\/127\.0\.0\.1:7777(;|$)/);
      assert.doesNotMatch(policy, /script-src|unsafe/);
      assert.equal(response.headers.get('x-frame-options'), 'DENY');
      assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.doesNotMatch(html, /<script|onload=|javascript:/i);
      assert.match(html, /<html lang="en">/);
      assert.match(html, /<h1>/);
    }
  });

  it('label every field for people, screen readers and password managers', async () => {
    const { client_id } = await register(as);
    const { html } = await openSignIn(as, client_id);
    for (const [id, autocomplete] of [
      ['name', 'username'],
      ['password', 'current-password'],
    ]) {
      assert.match(html, new RegExp(`<label for="${id}">`));
      assert.match(html, new RegExp(`<input id="${id}"[^>]*autocomplete="${autocomplete}"`));
    }
    assert.match(html, /autofocus/);
  });

  it('show client, redirect host, resource and scopes in words', async () => {
    const { client_id } = await register(as, { client_name: 'My editor' });
    const { html } = await openConsent(as, client_id, { scope: 'mcp:tools:read mcp:tools:write' });
    assert.match(html, /My editor/);
    assert.match(html, /not verified/);
    assert.match(html, /127\.0\.0\.1:7777/);
    assert.match(html, /Call tools that change things/);
    assert.doesNotMatch(html, /Call tools that delete things/);
    assert.ok(html.includes(as.resource));
    assert.match(html, /alice/);
  });

  it('say what the account may not give, and do not promise it', async () => {
    const { client_id } = await register(as);
    const scope = 'mcp:tools:read mcp:tools:admin';
    const { html } = await openConsent(as, client_id, { scope }, bob);
    const [promised = '', withheld = ''] = html.split('will not get');
    assert.match(promised, /Call tools that only read/);
    assert.doesNotMatch(promised, /Call tools that delete things/);
    assert.match(withheld, /Call tools that delete things/);
    const nothing = await openConsent(as, client_id, { scope: 'mcp:tools:admin' }, bob);
    assert.doesNotMatch(nothing.html, /value="allow"/);
    const [form] = formsOf(nothing.html).filter(({ action }) => action.endsWith('/consent'));
    const forced = await nothing.browser.submit(form?.action ?? '', { ...form?.fields, decision: 'allow' });
    const back = await nothing.browser.request(forced.headers.get('location') ?? '');
    assert.match(back.headers.get('location') ?? '', /error=access_denied/);
  });

  it('escape what a client says about itself', async () => {
    const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>'</strong>`;
    const { client_id } = await register(as, {
      client_name: attack,
      redirect_uris: [`${redirectUri}?x=%22%3E%3Cscript%3E`],
    });
    for (const open of [openSignIn, openConsent]) {
      const { html } = await open(as, client_id, { redirect_uri: `${redirectUri}?x=%22%3E%3Cscript%3E` });
      assert.doesNotMatch(html, /<script|<img/);
      assert.match(html, /&lt;script&gt;/);
    }
    const error = await fetch(codeRequest(as, attack).url, {
      redirect: 'manual',
      headers: { accept: 'text/html' },
    });
    assert.doesNotMatch(await error.text(), /<script|<img/);
  });

  it('show one line of visible characters whatever a name contains', () => {
    assert.equal(displayText('a\u202egnirts\u2066b\u200b\u0000\n\r\u2028c'), 'agnirtsb c');
    assert.equal(displayText('a\u3164\ufe0f\u034f\u00ad\u{e0041}b'), 'ab', 'fillers, selectors, tags');
    assert.equal([...displayText('x'.repeat(500))].length, 80);
    assert.equal([...displayText('🦊'.repeat(500), 10)].length, 10);
  });

  it('hold nothing that turns text around or is not seen, wherever it came from', async () => {
    const browser = new Browser();
    const { client_id } = await register(as, { client_name: hostile.slice(0, 190), client_uri: undefined });
    const pages = [
      (await openSignIn(as, client_id, { state: hostile, login_hint: hostile })).html,
      (await openConsent(as, client_id, { state: hostile })).html,
      await (await browser.request(codeRequest(as, hostile).url.href)).text(),
      await (
        await browser.request(codeRequest(as, client_id, { scope: hostile, prompt: hostile }).url.href)
      ).text(),
      await (
        await browser.request(
          codeRequest(as, client_id, { redirect_uri: `https://x.example/${hostile}` }).url.href,
        )
      ).text(),
      await (await browser.request(`${as.url}/setup?token=${encodeURIComponent(hostile)}`)).text(),
    ];
    for (const [at, page] of pages.entries()) assertInert(page, `page ${at}`);
    assert.match(pages[1] ?? '', new RegExp(marker));
    const sent: string[] = [];
    const res = { writeHead: () => res, end: (text: string) => sent.push(text) };
    endPage(res as never, { status: 200, page: layout('x', html`<p>${hostile.replaceAll('\n', '')}</p>`) });
    assertInert(sent.join(), 'a template that forgot');
  });

  it('refuse a form without its CSRF token, with another’s, and from another site', async () => {
    const { client_id } = await register(as);
    const { browser, html, url } = await openSignIn(as, client_id);
    const [form] = formsOf(html);
    assert.ok(form);
    const stranger = formsOf((await openSignIn(as, client_id)).html)[0];
    for (const fields of [{}, { csrf: '' }, { csrf: 'x' }, { csrf: stranger?.fields['csrf'] ?? '' }]) {
      const response = await browser.submit(form.action, { ...fields, ...alice });
      assert.equal(response.status, 403);
    }
    const crossSite = await browser.request(form.action, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site' },
      body: new URLSearchParams({ ...form.fields, ...alice }),
    });
    assert.equal(crossSite.status, 403);
    const cookieless = await fetch(form.action, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ ...form.fields, ...alice }),
    });
    assert.equal(cookieless.status, 400);
    assert.equal((await browser.request(url)).status, 200, 'the sign-in itself is still there');
    assert.equal((await browser.submit(form.action, { ...form.fields, ...alice })).status, 303);
  });

  it('refuse consent without its CSRF token, and before sign-in', async () => {
    const { client_id } = await register(as);
    const consent = await openConsent(as, client_id);
    const action = formsOf(consent.html).find((form) => form.action.endsWith('/consent'))?.action ?? '';
    assert.equal((await consent.browser.submit(action, { decision: 'allow' })).status, 403);

    const { browser, html } = await openSignIn(as, client_id);
    const [form] = formsOf(html);
    const early = await browser.submit((form?.action ?? '').replace('/login', '/consent'), {
      ...form?.fields,
      decision: 'allow',
    });
    assert.equal(early.status, 400);
  });

  it('cannot be opened in another browser', async () => {
    const { client_id } = await register(as);
    const { url } = await openSignIn(as, client_id);
    assert.equal((await new Browser().request(url)).status, 400);
    const [mine, theirs] = [codeRequest(as, client_id).url, codeRequest(as, client_id).url];
    const own = await fetch(mine, { redirect: 'manual' });
    const other = await fetch(theirs, { redirect: 'manual' });
    const cookie = own.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    const planted = await fetch(other.headers.get('location') ?? '', { headers: { cookie } });
    assert.equal(planted.status, 400, 'the cookie of one request does not open another');
    assert.equal((await new Browser().request(`${as.issuer}/interaction/nope`)).status, 400);
    assert.equal((await new Browser().request(`${as.issuer}/interaction/..%2f..`)).status, 404);
  });

  it('let two authorization requests of one browser go on side by side', async () => {
    const { client_id } = await register(as);
    const browser = new Browser();
    const pages: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      const started = await browser.request(codeRequest(as, client_id).url.href);
      pages.push(started.headers.get('location') ?? '');
    }
    for (const page of pages) assert.equal((await browser.request(page)).status, 200);
  });

  it('say the same for an unknown name and a wrong password', async () => {
    const { client_id } = await register(as);
    const answers: string[] = [];
    for (const name of ['alice', 'nobody']) {
      const { browser, html } = await openSignIn(as, client_id);
      const [form] = formsOf(html);
      const response = await browser.submit(form?.action ?? '', {
        ...form?.fields,
        name,
        password: 'wrong wrong wrong',
      });
      assert.equal(response.status, 401);
      const text = await response.text();
      assert.match(text, /role="alert"/);
      answers.push(text.replaceAll(name, '').replace(/interaction\/[\w-]+|value="[^"]*"/g, ''));
    }
    assert.equal(answers[0], answers[1]);
  });

  it('switch the account without carrying anything over', async () => {
    const { client_id } = await register(as);
    const consent = await openConsent(as, client_id, { scope: 'mcp:tools:admin mcp:tools:read' });
    const form = formsOf(consent.html).find(({ action }) => action.endsWith('/switch'));
    assert.ok(form);
    const restarted = await consent.browser.submit(form.action, form.fields);
    const signIn = await consent.browser.request(restarted.headers.get('location') ?? '');
    const page = await consent.browser.request(signIn.headers.get('location') ?? '');
    assert.match(await page.text(), /<h1>Sign in<\/h1>/);
  });

  it('sign in a second person over the first with prompt=login', async () => {
    const { client_id } = await register(as);
    const browser = new Browser();
    const first = await obtainToken(as, client_id, { browser });
    const second = await obtainToken(as, client_id, {
      browser,
      credentials: bob,
      parameters: { prompt: 'login', scope: 'mcp:tools:admin mcp:tools:read' },
    });
    assert.notEqual(decodeJwt(first.access_token).sub, decodeJwt(second.access_token).sub);
    assert.equal(second.scope, 'mcp:tools:read');
    // Without a prompt, it is bob who stays signed in: no credentials are asked for.
    const third = await obtainToken(as, client_id, { browser, credentials: { name: '', password: '' } });
    assert.equal(decodeJwt(third.access_token).sub, decodeJwt(second.access_token).sub);
  });

  it('ask a person to sign in again whose account is gone', async () => {
    const { client_id } = await register(as);
    const accounts = openAccounts(as.dataDir, systemClock);
    try {
      const dave = { name: 'dave', password: 'a fourth long password' };
      await accounts.add({ name: dave.name, password: new Secret(dave.password), role: 'user' });
      const browser = new Browser();
      await obtainToken(as, client_id, { browser, credentials: dave });
      // As if the removal had come between two steps: the session is still there.
      const db = openStore(as.dataDir);
      db.exec("DELETE FROM accounts WHERE name = 'dave'");
      db.close();
      const started = await browser.request(codeRequest(as, client_id).url.href);
      const page = await browser.request(started.headers.get('location') ?? '');
      assert.match(await page.text(), /<h1>Sign in<\/h1>/);
    } finally {
      accounts.close();
    }
  });

  it('answer prompt=none with an error and no interaction', async () => {
    const { client_id } = await register(as);
    const response = await fetch(codeRequest(as, client_id, { prompt: 'none' }).url, { redirect: 'manual' });
    assert.match((await errorTarget(response)).href, /error=(login|interaction)_required/);
    const browser = new Browser();
    await obtainToken(as, client_id, { browser });
    const silent = await browser.request(codeRequest(as, client_id, { prompt: 'none' }).url.href);
    assert.match(silent.headers.get('location') ?? '', /error=(interaction|consent)_required/);
  });
});

describe('cookies', () => {
  it('are HttpOnly and SameSite on http, and prefixed and Secure on https', async () => {
    for (const scheme of ['http', 'https']) {
      const publicUrl = `${scheme}://auth.example`;
      const as = await startAuthorizationServer({
        options:
          scheme === 'https' ? { publicUrl, resources: [{ resource: `${publicUrl}/mcp`, name: 'x' }] } : {},
      });
      try {
        const local = (url: string) => url.replace(publicUrl, as.url);
        const { client_id } = (await (
          await fetch(`${as.url}/oauth/register`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ redirect_uris: [redirectUri] }),
          })
        ).json()) as { client_id: string };
        const { url } = codeRequest({ ...as, issuer: `${as.url}/oauth` }, client_id, { resource: null });
        const started = await fetch(url, { redirect: 'manual' });
        const lines = started.headers.getSetCookie();
        const page = await fetch(local(started.headers.get('location') ?? ''), {
          headers: { cookie: lines.map((line) => line.split(';')[0]).join('; ') },
        });
        assert.equal(page.status, 200);
        lines.push(...page.headers.getSetCookie());
        assert.ok(lines.length >= 3);
        for (const line of lines) {
          assert.match(line, /; *httponly/i);
          assert.match(line, /; *samesite=lax/i);
          assert.equal(/; *secure/i.test(line), scheme === 'https', line);
          assert.equal(/^__(Host|Secure)-/.test(line), scheme === 'https', line);
          if (line.startsWith('__Host-')) assert.match(line, /; *path=\/(;|$)/i);
          assert.doesNotMatch(line, /; *domain/i);
        }
      } finally {
        await as.close();
      }
    }
  });
});

describe('throttled sign-in', () => {
  it('stops guessing at one account from one address, and only that', async () => {
    const clock = movableClock();
    let address = '198.51.100.1';
    const as = await startAuthorizationServer({ clock, address: () => address });
    try {
      const { client_id } = await register(as);
      const attempt = async (name: string, password: string) => {
        const { browser, html } = await openSignIn(as, client_id);
        const [form] = formsOf(html);
        return browser.submit(form?.action ?? '', { ...form?.fields, name, password });
      };
      for (let count = 0; count < 5; count += 1) {
        assert.equal((await attempt('alice', 'wrong wrong wrong')).status, 401);
      }
      const stopped = await attempt('ALICE', alice.password);
      assert.equal(stopped.status, 429, 'the right password does not help either');
      assert.ok(Number(stopped.headers.get('retry-after')) > 200);
      assert.match(await stopped.text(), /Too many attempts/);
      assert.equal((await attempt('bob', bob.password)).status, 303);
      address = '198.51.100.2';
      assert.equal((await attempt('alice', alice.password)).status, 303, 'alice herself is not locked out');
      address = '198.51.100.1';
      clock.advance(5 * 60_000 + 1000);
      assert.equal((await attempt('alice', alice.password)).status, 303);
      const failed = as.events.filter(({ event }) => event === 'signin.failed');
      assert.deepEqual(
        failed.map(({ data }) => data?.['reason']),
        ['wrong', 'wrong', 'wrong', 'wrong', 'wrong', 'throttled'],
      );
    } finally {
      await as.close();
    }
  });

  it('counts the addresses of one IPv6 subscriber as one, and an IPv4 address however it is written', async () => {
    let address = '';
    const as = await startAuthorizationServer({ address: () => address });
    try {
      const { client_id } = await register(as);
      const attempt = async (from: string, name: string) => {
        address = from;
        const { browser, html } = await openSignIn(as, client_id);
        const [form] = formsOf(html);
        const given = { ...form?.fields, name, password: 'wrong wrong wrong' };
        return (await browser.submit(form?.action ?? '', given)).status;
      };
      for (let host = 1; host <= 5; host += 1)
        assert.equal(await attempt(`2001:db8:1:2::${host}`, 'alice'), 401);
      assert.equal(await attempt('2001:db8:1:2:ffff::9', 'alice'), 429);
      assert.equal(await attempt('2001:db8:1:3::1', 'alice'), 401, 'a neighbour is another');
      for (let count = 1; count <= 5; count += 1) await attempt('198.51.100.7', 'bob');
      assert.equal(await attempt('::ffff:198.51.100.7', 'bob'), 429);
    } finally {
      await as.close();
    }
  });

  it('counts concurrent tries before it checks them', async () => {
    const as = await startAuthorizationServer();
    try {
      const { client_id } = await register(as);
      const { browser, html } = await openSignIn(as, client_id);
      const [form] = formsOf(html);
      const answers = await Promise.all(
        Array.from({ length: 12 }, () =>
          browser.submit(form?.action ?? '', {
            ...form?.fields,
            name: 'alice',
            password: 'wrong wrong wrong',
          }),
        ),
      );
      assert.equal(answers.filter(({ status }) => status === 401).length, 5);
      assert.equal(answers.filter(({ status }) => status === 429).length, 7);
    } finally {
      await as.close();
    }
  });
});
