import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import {
  alice,
  Browser,
  bob,
  formsOf,
  movableClock,
  type RunningAuthorizationServer,
  startAuthorizationServer,
} from './support.ts';

// An authenticator in software, with which every single statement can be false under a good signature. What browsers
// really send is in passkeys.test.ts.

interface Assertion {
  readonly challenge: string;
  readonly origin?: string;
  readonly rpID?: string;
  readonly type?: string;
  /** User present 1, user verified 4. */
  readonly flags?: number;
  readonly counter?: number;
  readonly userHandle?: string;
}

describe('an assertion', () => {
  let as: RunningAuthorizationServer;
  let key: { privateKey: KeyObject; id: string; accountId: string };
  const clock = movableClock();
  before(async () => {
    as = await startAuthorizationServer({
      clock,
      host: 'localhost',
      signIn: { signIn: ['password', 'passkey'] },
    });
    key = addPasskey(as, alice.name);
  });
  after(() => as.close());

  async function open(browser: Browser) {
    const html = await (await browser.request(`${as.url}/account`)).text();
    const form = formsOf(html).find(({ action }) => action.endsWith('/account/passkey'));
    const options = /data-options="([^"]*)"/.exec(html)?.[1]?.replaceAll('&quot;', '"') ?? '';
    assert.ok(form, html);
    return { form, challenge: (JSON.parse(options) as { challenge: string }).challenge };
  }

  function answer(given: Assertion, with_ = key): string {
    const clientData = JSON.stringify({
      type: given.type ?? 'webauthn.get',
      challenge: given.challenge,
      origin: given.origin ?? as.url,
    });
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(given.counter ?? 0);
    const authenticatorData = Buffer.concat([
      sha256(given.rpID ?? 'localhost'),
      Buffer.of(given.flags ?? 5),
      counter,
    ]);
    const signature = sign(
      'sha256',
      Buffer.concat([authenticatorData, sha256(clientData)]),
      with_.privateKey,
    );
    return JSON.stringify({
      id: with_.id,
      rawId: with_.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: Buffer.from(clientData).toString('base64url'),
        authenticatorData: authenticatorData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: Buffer.from(given.userHandle ?? with_.accountId).toString('base64url'),
      },
    });
  }

  async function send(change: Partial<Assertion>, browser = new Browser()): Promise<number> {
    const { form, challenge } = await open(browser);
    const credential = answer({ challenge, ...change });
    return (await browser.submit(form.action, { ...form.fields, credential })).status;
  }

  it('that holds signs in', async () => {
    assert.equal(await send({}), 303);
  });

  for (const [what, change] of Object.entries<Partial<Assertion>>({
    'of another origin': { origin: 'http://localhost' },
    'of another scheme': { origin: 'https://localhost' },
    'for another relying party': { rpID: 'evil.example' },
    'for a parent name': { rpID: 'host' },
    'without user verification': { flags: 1 },
    'without user presence': { flags: 4 },
    'that is an enrolment': { type: 'webauthn.create' },
    'for a challenge of its own': { challenge: Buffer.from('x'.repeat(40)).toString('base64url') },
    'without a challenge': { challenge: '' },
    'that names another account': { userHandle: 'somebody' },
    'that names no account': { userHandle: '' },
  })) {
    it(`${what} does not`, async () => {
      assert.equal(await send(change), 401);
    });
  }

  it('signs in once, of two at the same time', async () => {
    const browser = new Browser();
    const { form, challenge } = await open(browser);
    const credential = answer({ challenge });
    const both = await Promise.all(
      [1, 2].map(() => browser.submit(form.action, { ...form.fields, credential })),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), [303, 401]);
  });

  it('does not sign in with the challenge of another browser or after five minutes', async () => {
    const { challenge } = await open(new Browser());
    assert.equal(await send({ challenge }), 401);
    const browser = new Browser();
    const { form, challenge: own } = await open(browser);
    clock.advance(5 * 60_000 + 1);
    const credential = answer({ challenge: own });
    assert.equal((await browser.submit(form.action, { ...form.fields, credential })).status, 401);
  });

  it('does not sign in once the counter has gone back, or stands still', async () => {
    const copied = addPasskey(as, bob.name);
    const use = async (counter: number) => {
      const browser = new Browser();
      const { form, challenge } = await open(browser);
      const credential = answer({ challenge, counter }, copied);
      return (await browser.submit(form.action, { ...form.fields, credential })).status;
    };
    assert.equal(await use(5), 303);
    assert.equal(await use(5), 401);
    assert.equal(await use(4), 401);
    assert.equal(await use(0), 401);
    assert.equal(await use(6), 303);
  });

  it('does not sign in with the key of another credential', async () => {
    const other = addPasskey(as, bob.name);
    const browser = new Browser();
    const { form, challenge } = await open(browser);
    const credential = answer({ challenge }, { ...other, id: key.id, accountId: key.accountId });
    assert.equal((await browser.submit(form.action, { ...form.fields, credential })).status, 401);
  });

  it('is not looked at where passkeys are off', async () => {
    const off = await startAuthorizationServer();
    try {
      const browser = new Browser();
      const html = await (await browser.request(`${off.url}/account`)).text();
      assert.doesNotMatch(html, /script|passkey/);
      const [form] = formsOf(html);
      const action = `${off.url}/account/passkey`;
      const response = await browser.submit(action, {
        ...form?.fields,
        credential: answer({ challenge: 'x' }),
      });
      assert.equal(response.status, 404);
    } finally {
      await off.close();
    }
  });
});

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Stores a passkey whose private key the test has. */
function addPasskey(as: RunningAuthorizationServer, name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  // COSE_Key of RFC 9053 section 7.1.1: kty 2, alg -7, crv 1, x, y.
  const cose = Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    Buffer.from(x, 'base64url'),
    Buffer.from('225820', 'hex'),
    Buffer.from(y, 'base64url'),
  ]);
  const id = randomBytes(16).toString('base64url');
  const db = new DatabaseSync(`${as.dataDir}/authorization.db`);
  const accountId = String(db.prepare('SELECT id FROM accounts WHERE name = ?').get(name)?.['id']);
  db.prepare(`
    INSERT INTO passkeys (credential_id, account_id, label, public_key, counter, created_at)
    VALUES (?, ?, 'test', ?, 0, 0)`).run(id, accountId, cose);
  db.close();
  return { privateKey, id, accountId };
}
