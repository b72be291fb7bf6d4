import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, systemClock } from '../../src/base/index.ts';

import {
  Browser,
  formsOf,
  obtainToken,
  type RunningAuthorizationServer,
  register,
  startAuthorizationServer,
} from './support.ts';

const admin = { name: 'root', password: 'one two three four' };

describe('setup link', () => {
  let as: RunningAuthorizationServer;
  before(async () => {
    as = await startAuthorizationServer({ accounts: [] });
  });
  after(() => as.close());

  async function open() {
    const browser = new Browser();
    const response = await browser.request(as.server.setupUrl() ?? '');
    const [form] = formsOf(await response.text());
    assert.ok(form);
    return { browser, form };
  }

  it('holds a token of which only a hash is stored', () => {
    const url = as.server.setupUrl();
    assert.match(url ?? '', new RegExp(`^${as.url}/setup\\?token=[\\w-]{43}$`));
    const db = new DatabaseSync(`${as.dataDir}/authorization.db`, { readOnly: true });
    const stored = JSON.stringify(db.prepare('SELECT * FROM setup').all());
    db.close();
    assert.doesNotMatch(stored, new RegExp((url ?? '').split('=')[1] ?? 'x'));
  });

  it('is dead with another token, and opens nothing without one', async () => {
    for (const query of ['', '?token=', '?token=undefined', `?token=${'x'.repeat(43)}`]) {
      assert.equal((await fetch(`${as.url}/setup${query}`)).status, 404, query);
    }
    const { browser, form } = await open();
    const wrong = { ...form.fields, token: 'x'.repeat(43), ...admin, repeated: admin.password };
    assert.equal((await browser.submit(form.action, wrong)).status, 404);
    const { csrf: _csrf, ...withoutCsrf } = form.fields;
    const forged = { ...withoutCsrf, ...admin, repeated: admin.password };
    assert.equal((await browser.submit(form.action, forged)).status, 404);
    assert.ok(as.server.setupUrl());
  });

  it('asks again for a weak password, a mistyped one and an unusable name, and stays valid', async () => {
    const { browser, form } = await open();
    for (const [fields, message] of [
      [{ name: 'root', password: 'short', repeated: 'short' }, /at least 12 characters/],
      [{ ...admin, repeated: 'something else' }, /not the same/],
      [{ ...admin, name: 'two words', repeated: admin.password }, /name is not usable/],
    ] as const) {
      const response = await browser.submit(form.action, { ...form.fields, ...fields });
      assert.equal(response.status, 400);
      assert.match(await response.text(), message);
    }
    assert.ok(as.server.setupUrl());
  });

  it('makes one administrator, even when it is submitted twice at once, signs in, and dies', async () => {
    const url = as.server.setupUrl() ?? '';
    const { browser, form } = await open();
    const fields = { ...form.fields, ...admin, repeated: admin.password };
    const answers = await Promise.all([
      browser.submit(form.action, fields),
      browser.submit(form.action, { ...fields, name: 'second' }),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 404]);
    assert.equal(as.server.setupUrl(), null);
    assert.equal((await fetch(url)).status, 404);
    assert.equal((await browser.submit(form.action, { ...fields, name: 'third' })).status, 404);
    const accounts = openAccounts(as.dataDir, systemClock);
    assert.equal(accounts.list().length, 1);
    const [only] = accounts.list();
    accounts.close();
    assert.equal(only?.role, 'admin');

    const landing = await browser.request(`${as.url}/account`);
    const html = await landing.text();
    assert.match(html, /You are signed in/);
    assert.ok(html.includes(as.resource));
    const [completed] = as.events.filter(({ event }) => event === 'setup.completed');
    assert.equal(completed?.subject, only?.id);
    assert.ok(!JSON.stringify(as.events).includes(admin.password));

    // The session of the setup is good for consent: nobody has to sign in twice.
    const { client_id } = await register(as);
    const nothing = { name: '', password: '' };
    assert.equal((await obtainToken(as, client_id, { browser, credentials: nothing })).status, 200);
  });

  it('signs out and in on the account page', async () => {
    const { name } = openNames(as);
    const browser = new Browser();
    const page = await browser.request(`${as.url}/account`);
    const [form] = formsOf(await page.text());
    assert.ok(form);
    const wrong = await browser.submit(form.action, { ...form.fields, name, password: 'wrong wrong wrong' });
    assert.equal(wrong.status, 401);
    const right = await browser.submit(form.action, { ...form.fields, name, password: admin.password });
    assert.equal(right.headers.get('location'), `${as.url}/account`);
    const signedIn = await (await browser.request(`${as.url}/account`)).text();
    const signOut = formsOf(signedIn).find(({ action }) => action.endsWith('/sign-out'));
    assert.match(signedIn, /You are signed in/);
    assert.equal((await browser.submit(signOut?.action ?? '', {})).status, 403);
    await browser.submit(signOut?.action ?? '', signOut?.fields ?? {});
    assert.match(await (await browser.request(`${as.url}/account`)).text(), /<h1>Sign in<\/h1>/);
  });
});

function openNames(as: RunningAuthorizationServer): { name: string } {
  const accounts = openAccounts(as.dataDir, systemClock);
  try {
    return { name: accounts.list()[0]?.name ?? '' };
  } finally {
    accounts.close();
  }
}

describe('setup link beside the command line', () => {
  it('dies when the command line makes an administrator', async () => {
    const as = await startAuthorizationServer({ accounts: [] });
    try {
      const url = as.server.setupUrl() ?? '';
      assert.equal((await fetch(url)).status, 200);
      const accounts = openAccounts(as.dataDir, systemClock);
      await accounts.add({ name: 'ann', password: new Secret('one two three four'), role: 'admin' });
      accounts.close();
      assert.equal(as.server.setupUrl(), null);
      assert.equal((await fetch(url)).status, 404);
    } finally {
      await as.close();
    }
  });
});
