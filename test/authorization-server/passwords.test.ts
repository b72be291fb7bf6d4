import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, systemClock } from '../../src/base/index.ts';
import { alice, Browser, bob, formsOf, movableClock, startAuthorizationServer } from './support.ts';

describe('the list of refused passwords', () => {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-passwords-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  const hibp = createHash('sha1').update('quite a leaked phrase').digest('hex').toUpperCase();
  const list = join(directory, 'list.txt');
  writeFileSync(list, `password\r\nletmein letmein letmein\n\n${hibp}:24\ncorrect staple horse\n`);

  it('holds at setup and for the command line, in any case, as text and as hashes', async () => {
    const as = await startAuthorizationServer({
      dataDir: join(directory, 'data'),
      accounts: [],
      signIn: { passwords: { denyList: list } },
    });
    const browser = new Browser();
    try {
      const html = await (await browser.request(as.server.setupUrl() ?? '')).text();
      const [form] = formsOf(html);
      const submit = (password: string) =>
        browser.submit(form?.action ?? '', { ...form?.fields, name: 'root', password, repeated: password });
      for (const password of ['letmein letmein letmein', 'Correct Staple Horse', 'quite a leaked phrase']) {
        const refused = await submit(password);
        assert.equal(refused.status, 400, password);
        assert.match(await refused.text(), /list of known passwords/);
      }
      assert.equal((await submit('quite another phrase')).status, 303);
    } finally {
      await as.close();
    }
    // The server has been stopped: the data directory knows.
    const accounts = openAccounts(join(directory, 'data'), systemClock);
    try {
      const leaked = new Secret('quite a leaked phrase');
      await assert.rejects(accounts.add({ name: 'eve', password: leaked, role: 'user' }), /list of known/);
      await assert.rejects(accounts.setPassword('root', leaked), /list of known/);
      rmSync(list);
      const other = openAccounts(join(directory, 'data'), systemClock);
      await assert
        .rejects(
          other.add({ name: 'eve', password: new Secret('never seen before'), role: 'user' }),
          /cannot be used/,
        )
        .finally(() => other.close());
    } finally {
      accounts.close();
    }
  });

  it('is not done without: a server whose list cannot be read does not start', async () => {
    const signIn = { passwords: { denyList: join(directory, 'nowhere.txt') } };
    const dataDir = join(directory, 'other');
    await assert.rejects(startAuthorizationServer({ dataDir, signIn }), /cannot be used/);
  });
});

describe('failed sign-ins', () => {
  it('are remembered over a restart, and forgotten in time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portcullis-failures-'));
    const clock = movableClock();
    const start = () => startAuthorizationServer({ dataDir: directory, clock });
    const attempt = async (as: Awaited<ReturnType<typeof start>>, name: string, password: string) => {
      const browser = new Browser();
      const [form] = formsOf(await (await browser.request(`${as.url}/account`)).text());
      return (await browser.submit(form?.action ?? '', { ...form?.fields, name, password })).status;
    };
    try {
      let as = await start();
      for (let tries = 0; tries < 5; tries += 1) assert.equal(await attempt(as, alice.name, 'wrong'), 401);
      await as.close();
      as = await start();
      assert.equal(await attempt(as, alice.name, alice.password), 429);
      assert.equal(await attempt(as, bob.name, bob.password), 303);
      await as.close();
      clock.advance(5 * 60_000 + 1000);
      as = await start();
      assert.equal(await attempt(as, alice.name, alice.password), 303);
      await as.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
