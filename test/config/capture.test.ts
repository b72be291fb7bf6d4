import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { faultsOf, head, load } from './support/workspace.ts';

const { publicKey, privateKey } = generateKeyPairSync('x25519');
const spki = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }));
const jwk = (key: KeyObject) => JSON.stringify(key.export({ format: 'jwk' }));
const environment = { KEY: spki(publicKey) };

const servers = 'servers: { notes: { upstream: { command: [notes] } } }';
const file = (rule: string, audit = 'auditorKey: { env: KEY }') =>
  `${head}${servers}\naudit: { ${audit} }\ntools:\n  - { match: pay, ${rule} }\n`;

describe('what records keep of arguments', () => {
  it('is an attribute of a rule, with fields by JSON pointer', async (t) => {
    const { config } = await load(
      t,
      file('capture: redacted, fields: { /amount: keep, "/lines/*/a~1b": hash, "": keep }'),
      environment,
    );
    assert.deepEqual(config.tools?.[0]?.capture, {
      as: 'redacted',
      fields: [
        { path: ['amount'], how: 'keep' },
        { path: ['lines', '*', 'a/b'], how: 'hash' },
        { path: [], how: 'keep' },
      ],
    });
  });

  it('is encrypted to a public key in PEM or JWK, of which nothing but the key is taken', async (t) => {
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    for (const [key, text] of [
      [publicKey, spki(publicKey)],
      [publicKey, JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid: 'lies', use: 'enc' })],
      [curve, spki(curve)],
      [curve, jwk(curve)],
    ] as const) {
      const { config } = await load(t, file('capture: encrypted'), { KEY: text });
      assert.deepEqual(config.audit.auditorKey, key.export({ format: 'jwk' }));
    }
  });
});

describe('a key of the auditor is refused', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const off = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) };
  const cases: readonly [string, string, RegExp][] = [
    ['a private key in PEM', String(privateKey.export({ type: 'pkcs8', format: 'pem' })), /is a private key/],
    ['a private key in JWK', jwk(privateKey), /is a private key/],
    [
      'an encrypted private key',
      String(privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })),
      /is a private key/,
    ],
    [
      'a private key behind a public one',
      spki(publicKey) + privateKey.export({ type: 'pkcs8', format: 'pem' }),
      /is a private key/,
    ],
    ['a symmetric key', '{"kty":"oct","k":"CANARYCANARY"}', /is a private key/],
    ['RSA', spki(rsa.publicKey), /cannot be used here/],
    ['a key that signs', spki(generateKeyPairSync('ed25519').publicKey), /cannot be used here/],
    [
      'a key that is for signing',
      JSON.stringify({ ...publicKey.export({ format: 'jwk' }), use: 'sig' }),
      /not for encrypting/,
    ],
    ['a point that is not on the curve', JSON.stringify(off), /no public key/],
    ['a set', JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }), /a set of keys/],
    ['anything else', 'CANARY', /no public key/],
  ];
  for (const [name, text, message] of cases) {
    it(name, async (t) => {
      const [fault] = await faultsOf(t, file('capture: encrypted'), { KEY: text });
      assert.equal(fault?.path, 'audit.auditorKey');
      assert.equal(fault?.line, 4);
      assert.match(fault?.message ?? '', message);
      assert.ok(fault?.hint, 'says what to type');
      assert.ok(!`${fault?.message}${fault?.hint}`.includes('CANARY'));
    });
  }
});

describe('fields are refused', () => {
  const cases: readonly [string, string, string, RegExp][] = [
    [
      'that are no JSON pointer',
      'capture: redacted, fields: { amount: keep }',
      'tools[0].fields.amount',
      /no JSON pointer/,
    ],
    [
      'with an escape that there is not',
      'capture: redacted, fields: { /a~2: keep }',
      'tools[0].fields./a~2',
      /no JSON pointer/,
    ],
    [
      'with what nobody sees',
      'capture: redacted, fields: { "/a\\u200bmount": keep }',
      'tools[0].fields./a\u200bmount',
      /cannot be seen/,
    ],
    ['without capture', 'scope: x, fields: { /a: keep }', 'tools[0].fields', /without capture/],
    ['where nothing is kept', 'capture: hash, fields: { /a: keep }', 'tools[0].fields', /no meaning/],
    [
      'that encrypted keeps anyway',
      'capture: encrypted, fields: { /a: keep }',
      'tools[0].fields./a',
      /says nothing/,
    ],
    [
      'below one that is not kept',
      'capture: redacted, fields: { /a: drop, /a/b: keep }',
      'tools[0].fields./a/b',
      /never applies/,
    ],
    [
      'with a word that there is not',
      'capture: redacted, fields: { /a: keeep }',
      'tools[0].fields./a',
      /keep/,
    ],
  ];
  for (const [name, rule, path, message] of cases) {
    it(name, async (t) => {
      const faults = await faultsOf(t, file(rule), environment);
      const fault = faults.find((one) => one.path?.replaceAll('"', '').includes(path.slice(-4)));
      assert.match(fault?.message ?? JSON.stringify(faults), message);
      assert.equal(fault?.line, 6);
    });
  }

  it('and encrypted without a key', async (t) => {
    const [fault] = await faultsOf(t, file('capture: encrypted', 'durability: strict'));
    assert.equal(fault?.path, 'tools[0].capture');
    assert.match(fault?.hint ?? '', /auditorKey/);
  });

  it('and a level that there is not', async (t) => {
    const [fault] = await faultsOf(t, file('capture: redact'), environment);
    assert.match(`${fault?.message} ${fault?.hint}`, /redacted/);
  });
});
