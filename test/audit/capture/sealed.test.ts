import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { createSeal, openSealed, readAuditorKeys } from '../../../src/audit/capture/sealed.ts';
import { readAuditorKey } from '../../../src/config/auditor-key.ts';

const belonging = { request_id: 'r-1', server: 'bank', tool: 'pay' };
const content = '{"arguments":{"amount":12},"redacted":false,"cut":false}';

function pair(curve: 'x25519' | 'P-256' | 'P-384' | 'P-521' = 'x25519'): {
  publicKey: KeyObject;
  privateKey: KeyObject;
} {
  return curve === 'x25519'
    ? generateKeyPairSync('x25519')
    : generateKeyPairSync('ec', { namedCurve: curve });
}

const publicPem = ({ publicKey }: { publicKey: KeyObject }) =>
  String(publicKey.export({ type: 'spki', format: 'pem' }));
const privatePem = ({ privateKey }: { privateKey: KeyObject }) =>
  String(privateKey.export({ type: 'pkcs8', format: 'pem' }));

function sealTo(text: string) {
  const key = readAuditorKey(text);
  if ('message' in key) throw new Error(key.message);
  return createSeal(key);
}

describe('sealed arguments', () => {
  for (const curve of ['x25519', 'P-256', 'P-384', 'P-521'] as const) {
    it(`are opened by the private key alone (${curve}), from PEM and JWK`, async () => {
      const keys = pair(curve);
      const jwe = await (await sealTo(publicPem(keys)))(content, belonging);
      const fromJwk = await (await sealTo(JSON.stringify(keys.publicKey.export({ format: 'jwk' }))))(
        content,
        belonging,
      );
      for (const text of [privatePem(keys), JSON.stringify(keys.privateKey.export({ format: 'jwk' }))]) {
        const opener = await readAuditorKeys([text]);
        for (const one of [jwe, fromJwk]) {
          const opening = await openSealed(one, belonging, opener);
          assert.ok(opening.opened, JSON.stringify(opening));
          assert.deepEqual(opening.content, JSON.parse(content));
        }
      }
    });
  }

  it('moved to another record are found out', async () => {
    const keys = pair();
    const jwe = await (await sealTo(publicPem(keys)))(content, belonging);
    const opener = await readAuditorKeys([privatePem(keys)]);
    for (const other of [{ request_id: 'r-2' }, { tool: 'list' }, { server: 'shop' }]) {
      const opening = await openSealed(jwe, { ...belonging, ...other }, opener);
      assert.equal(opening.opened ? '' : opening.problem, 'other record');
    }
  });

  it('with a header that was rewritten to fit the other record do not open', async () => {
    const keys = pair();
    const jwe = await (await sealTo(publicPem(keys)))(content, belonging);
    const [header = '', ...rest] = jwe.split('.');
    const changed = Buffer.from(header, 'base64url').toString().replace('r-1', 'r-2');
    const forged = [Buffer.from(changed).toString('base64url'), ...rest].join('.');
    const opening = await openSealed(
      forged,
      { ...belonging, request_id: 'r-2' },
      await readAuditorKeys([privatePem(keys)]),
    );
    assert.equal(opening.opened ? '' : opening.problem, 'broken');
  });

  it('with one letter changed anywhere do not open', async () => {
    const keys = pair();
    const jwe = await (await sealTo(publicPem(keys)))(content, belonging);
    const opener = await readAuditorKeys([privatePem(keys)]);
    for (let at = 0; at < jwe.length; at += 7) {
      if (jwe[at] === '.') continue;
      const changed = jwe.slice(0, at) + (jwe[at] === 'A' ? 'B' : 'A') + jwe.slice(at + 1);
      const opening = await openSealed(changed, belonging, opener);
      // The last letter of a part holds bits that mean nothing (RFC 4648 section 3.5).
      if (opening.opened) assert.match(jwe.slice(at + 1), /^(\.|$)/);
    }
  });

  it('name their key, so that old ones open after a rotation', async () => {
    const [old, now, stranger] = [pair(), pair('P-256'), pair()];
    const before = await (await sealTo(publicPem(old)))(content, belonging);
    const after = await (await sealTo(publicPem(now)))(content, belonging);
    const both = await readAuditorKeys([privatePem(now), privatePem(old)]);
    for (const jwe of [before, after]) assert.ok((await openSealed(jwe, belonging, both)).opened);
    const opening = await openSealed(before, belonging, await readAuditorKeys([privatePem(stranger)]));
    assert.equal(opening.opened ? '' : opening.problem, 'other key');
  });

  it('tell their length in steps alone, and are different each time', async () => {
    const seal = await sealTo(publicPem(pair()));
    const lengths = await Promise.all(
      [1, 20, 100, 150].map(
        async (n) => (await seal(`{"arguments":{"a":"${'x'.repeat(n)}"}}`, belonging)).length,
      ),
    );
    assert.equal(new Set(lengths).size, 1);
    assert.notEqual(await seal(content, belonging), await seal(content, belonging));
  });

  it('refuse a file that is no private key without quoting it', async () => {
    for (const text of ['CANARY', '{"kty":"oct","k":"CANARY"}', publicPem(pair())])
      await assert.rejects(readAuditorKeys([text]), (error: Error) => !error.message.includes('CANARY'));
  });
});
