import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import {
  type BrowserContext,
  type CDPSession,
  type Browser as Chromium,
  chromium,
  type Page,
} from 'playwright-core';
import {
  alice,
  bob,
  codeRequest,
  movableClock,
  type RunningAuthorizationServer,
  redirectUri,
  register,
  startAuthorizationServer,
} from './support.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
const skip =
  executablePath === undefined && 'NO CHROMIUM FOUND: passkeys are NOT tested (apt-get install chromium)';

it('finds Chromium in CI', { skip: !process.env['CI'] && 'not in CI' }, () => assert.equal(skip, false));

/** One person at one computer: a browser profile with an authenticator in it. */
interface Person {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly cdp: CDPSession;
  readonly authenticatorId: string;
}

describe('passkeys, with a browser and an authenticator', { skip }, () => {
  let as: RunningAuthorizationServer;
  let browser: Chromium;
  let clientId: string;
  const clock = movableClock();
  const people: Person[] = [];
  const profile = mkdtempSync(join(tmpdir(), 'portcullis-chromium-'));

  before(async () => {
    as = await startAuthorizationServer({
      clock,
      host: 'localhost',
      signIn: { signIn: ['password', 'passkey'] },
    });
    clientId = (await register(as)).client_id;
    browser = await chromium.launch({
      ...(executablePath !== undefined && { executablePath }),
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });
  after(async () => {
    for (const { context } of people) await context.close();
    await browser?.close();
    await as?.close();
    rmSync(profile, { recursive: true, force: true });
  });

  async function person(isUserVerified = true): Promise<Person> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified,
        automaticPresenceSimulation: true,
      },
    });
    const made = { context, page, cdp, authenticatorId };
    people.push(made);
    return made;
  }

  async function signInWithPassword(page: Page, who = alice): Promise<void> {
    await page.goto(`${as.url}/account`);
    await page.fill('#name', who.name);
    await page.fill('#password', who.password);
    await page.click('button:text-is("Sign in")');
    await page.waitForSelector('h1:text("You are signed in")');
  }

  async function enrol(page: Page, label = 'My laptop'): Promise<void> {
    await page.fill('#label', label);
    await page.click('button:text("Add a passkey")');
    await page.waitForSelector(`li:has-text("${label}")`);
  }

  async function enrolled(who = alice): Promise<Person> {
    const one = await person();
    await signInWithPassword(one.page, who);
    await enrol(one.page);
    await one.page.click('button:text("Sign out")');
    await one.page.waitForSelector('button:text("Sign in with a passkey")');
    return one;
  }

  /** Answers the challenge of the page that is open, in the page, without sending it. */
  function assertion(page: Page, change: Record<string, unknown> = {}): Promise<string> {
    return page.evaluate(`(async () => {
      const form = document.querySelector('form[data-passkey=get]');
      const options = { ...JSON.parse(form.dataset.options), ...${JSON.stringify(change)} };
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      return JSON.stringify((await navigator.credentials.get({ publicKey })).toJSON());
    })()`);
  }

  /** Sends an answer by the form of the page that is open. */
  async function send(page: Page, credential: string): Promise<string> {
    const [response] = await Promise.all([
      page.waitForResponse((answer) => answer.request().method() === 'POST'),
      page.evaluate(`(() => {
        const form = document.querySelector('form[data-passkey=get]');
        form.elements.namedItem('credential').value = ${JSON.stringify(credential)};
        form.submit();
      })()`),
    ]);
    await page.waitForLoadState();
    return response.status() === 303 ? 'in' : ((await page.textContent('[role=alert]:not([hidden])')) ?? '');
  }

  it('enrol after a password, sign in to an application, and are used no more once removed', async () => {
    const { page } = await enrolled();
    await page.route(`${redirectUri}*`, (route) => route.fulfill({ body: 'the client' }));
    await page.goto(codeRequest(as, clientId).url.href);
    await page.click('button:text("Sign in with a passkey")');
    await page.waitForSelector('h1:text("to act for you")');
    assert.match((await page.textContent('dl')) ?? '', /alice/);
    await page.click('button:text-is("Allow")');
    await page.waitForURL(`${redirectUri}*`);
    assert.ok(new URL(page.url()).searchParams.get('code'));

    await page.goto(`${as.url}/account`);
    await page.click('li button:text("Remove")');
    await page.waitForSelector('text=None. With one');
    await page.click('button:text("Sign out")');
    await page.click('button:text("Sign in with a passkey")');
    await page.waitForSelector('text=The passkey was not accepted.');
  });

  it('load one script of ours under a strict policy, and leave the password to browsers without scripts', async () => {
    const { page } = await person();
    const violations: string[] = [];
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) violations.push(message.text());
    });
    const response = await page.goto(`${as.url}/account`);
    const policy = response?.headers()['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'.*script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe/);
    await page.waitForSelector('button:text("Sign in with a passkey")');
    assert.deepEqual(violations, []);
    const withoutScripts = await browser.newContext({ javaScriptEnabled: false });
    try {
      const plain = await withoutScripts.newPage();
      await plain.goto(`${as.url}/account`);
      assert.equal(await plain.isVisible('button:text("Sign in with a passkey")'), false);
      await plain.fill('#name', alice.name);
      await plain.fill('#password', alice.password);
      await plain.click('button:text-is("Sign in")');
      assert.ok(await plain.isVisible('h1:text("You are signed in")'));
    } finally {
      await withoutScripts.close();
    }
  });

  it('cannot be changed when the sign-in is not recent', async () => {
    const { page } = await person();
    await signInWithPassword(page);
    await enrol(page, 'First');
    await page.reload();
    clock.advance(11 * 60_000);
    // The form was made while the sign-in was recent.
    await page.click('li button:text("Remove")');
    await page.waitForSelector('h1:text-is("Sign in")');
    await page.goto(`${as.url}/account`);
    assert.equal(await page.isVisible('button:text("Add a passkey")'), false);
    assert.equal(await page.isVisible('button:text("Remove")'), false);
    await page.click('text=Sign in again to change passkeys');
    await page.fill('#name', alice.name);
    await page.fill('#password', alice.password);
    await page.click('button:text-is("Sign in")');
    await page.waitForSelector('button:text("Add a passkey")');
  });

  it('sign in nobody by an answer that was used before', async () => {
    const { page } = await enrolled();
    const answer = await assertion(page);
    assert.equal(await send(page, answer), 'in');
    await page.click('button:text("Sign out")');
    await page.waitForSelector('button:text("Sign in with a passkey")');
    assert.match(await send(page, answer), /not accepted/);
  });

  it('sign in nobody by the answer to an old challenge, or to one of another page', async () => {
    const { page } = await enrolled();
    const answer = await assertion(page);
    clock.advance(5 * 60_000 + 1000);
    assert.match(await send(page, answer), /not accepted/);
    await page.goto(codeRequest(as, clientId).url.href);
    const forInteraction = await assertion(page);
    await page.goto(`${as.url}/account`);
    assert.match(await send(page, forInteraction), /not accepted/);
  });

  it('sign in nobody in another browser', async () => {
    const { page } = await enrolled();
    const stolen = await assertion(page);
    const thief = await person();
    await thief.page.goto(`${as.url}/account`);
    assert.match(await send(thief.page, stolen), /not accepted/);
  });

  it('sign in nobody without user verification, whatever the page asked for', async () => {
    const { page, cdp, authenticatorId } = await enrolled();
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    const answer = await assertion(page, { userVerification: 'discouraged' });
    assert.match(await send(page, answer), /not accepted/);
  });

  it('sign in nobody by an answer made at another origin or for another name', async () => {
    const { page } = await enrolled();
    const answer = JSON.parse(await assertion(page)) as { response: Record<string, string> };
    const data = Buffer.from(answer.response['clientDataJSON'] ?? '', 'base64url').toString();
    const elsewhere = data.replace(as.url, 'https://evil.example');
    assert.notEqual(elsewhere, data);
    const clientDataJSON = Buffer.from(elsewhere).toString('base64url');
    const moved = { ...answer, response: { ...answer.response, clientDataJSON } };
    assert.match(await send(page, JSON.stringify(moved)), /not accepted/);
    const authenticator = Buffer.from(answer.response['authenticatorData'] ?? '', 'base64url');
    authenticator[0] = (authenticator[0] ?? 0) ^ 1;
    const authenticatorData = authenticator.toString('base64url');
    const renamed = { ...answer, response: { ...answer.response, authenticatorData } };
    assert.match(await send(page, JSON.stringify(renamed)), /not accepted/);
  });

  it('sign in nobody as somebody else', async () => {
    const mallory = await enrolled(bob);
    const answer = JSON.parse(await assertion(mallory.page)) as {
      id: string;
      response: Record<string, string>;
    };
    const db = new DatabaseSync(`${as.dataDir}/authorization.db`, { readOnly: true });
    const account = db.prepare('SELECT id FROM accounts WHERE name = ?').get(alice.name);
    db.close();
    const userHandle = Buffer.from(String(account?.['id'])).toString('base64url');
    const forged = { ...answer, response: { ...answer.response, userHandle } };
    assert.match(await send(mallory.page, JSON.stringify(forged)), /not accepted/);
    for (const text of [
      '',
      '{}',
      '[]',
      '{"id":5}',
      JSON.stringify({ ...answer, response: null }),
      'x'.repeat(40_000),
    ]) {
      assert.match(await send(mallory.page, text), /not accepted/);
    }
  });

  it('sign in nobody when the counter goes back: a copied authenticator', async () => {
    const { page } = await enrolled();
    const first = await assertion(page);
    const id = (JSON.parse(first) as { id: string }).id;
    const db = new DatabaseSync(`${as.dataDir}/authorization.db`);
    db.prepare('UPDATE passkeys SET counter = 1000 WHERE credential_id = ?').run(id);
    db.close();
    assert.match(await send(page, first), /not accepted/);
  });

  it('are enrolled for nobody by the answer to another challenge, and removed by nobody else', async () => {
    const { page } = await person();
    await signInWithPassword(page);
    await page.evaluate(`(() => {
      const { dataset } = document.querySelector('form[data-passkey=create]');
      const options = { ...JSON.parse(dataset.options), challenge: 'b3RoZXIgY2hhbGxlbmdl' };
      dataset.options = JSON.stringify(options);
    })()`);
    await page.click('button:text("Add a passkey")');
    await page.waitForSelector('text=The passkey was not added.');
    const other = await enrolled(bob);
    const db = new DatabaseSync(`${as.dataDir}/authorization.db`, { readOnly: true });
    const count = () => Number(db.prepare('SELECT count(*) AS n FROM passkeys').get()?.['n']);
    const id = String(
      db.prepare('SELECT credential_id FROM passkeys ORDER BY created_at DESC').get()?.['credential_id'],
    );
    const before = count();
    assert.ok(other.page);
    const csrf = await page.getAttribute('input[name=csrf]', 'value');
    const answer = await page.request.post(`${as.url}/account/passkeys/remove`, {
      form: { csrf: csrf ?? '', passkey: id },
    });
    assert.equal(answer.status(), 400);
    assert.equal(count(), before);
    db.close();
  });
});
