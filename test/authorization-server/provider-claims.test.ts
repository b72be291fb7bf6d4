import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityOf } from '../../src/authorization-server/identity-provider/claims.ts';
import { createSeal } from '../../src/authorization-server/identity-provider/seal.ts';
import { Secret } from '../../src/base/index.ts';
import { providerConfig } from './provider-sign-in.ts';

const issuer = 'https://idp.example.com';

describe('claims of a provider', () => {
  const reasonOf = (claims: Record<string, unknown>, change: Parameters<typeof providerConfig>[1]) => {
    const result = identityOf({ sub: 's', ...claims }, providerConfig(issuer, change));
    return result.ok ? 'ok' : result.reason;
  };

  it('allow a domain by an address that is verified, and by nothing else', () => {
    const change = { allow: { domains: ['example.com'], groups: null } };
    assert.equal(reasonOf({ email: 'a@Example.com', email_verified: true }, change), 'ok');
    for (const claims of [
      {},
      { email: 'a@example.com' },
      { email: 'a@example.com', email_verified: 'true' },
      { email: 'a@example.com', email_verified: false },
      { email: 'a@example.com.evil.example', email_verified: true },
      { email: 'a@evil.example', email_verified: true },
      { email: 'a@evil.example@example.com', email_verified: true },
      { email: ['a@example.com'], email_verified: true },
      { hd: 'example.com' },
    ]) {
      assert.equal(reasonOf(claims, change), 'not_allowed', JSON.stringify(claims));
    }
  });

  it('allow a domain at Google by the organization, not by the address', () => {
    const google = providerConfig('https://accounts.google.com', {
      allow: { domains: ['example.com'], groups: null },
    });
    assert.equal(identityOf({ sub: 's', hd: 'example.com' }, google).ok, true);
    const own = { sub: 's', email: 'a@example.com', email_verified: true };
    assert.equal(identityOf(own, google).ok, false);
  });

  it('ask for both where both are configured', () => {
    const change = { allow: { domains: ['example.com'], groups: ['staff'] } };
    const mail = { email: 'a@example.com', email_verified: true };
    assert.equal(reasonOf({ ...mail, groups: ['staff'] }, change), 'ok');
    assert.equal(reasonOf(mail, change), 'not_allowed');
    assert.equal(reasonOf({ groups: ['staff'] }, change), 'not_allowed');
  });

  it('make an administrator only of a member, whatever form the claim has', () => {
    const roleOf = (groups: unknown) => {
      const result = identityOf({ sub: 's', groups }, providerConfig(issuer));
      return result.ok ? result.identity.role : result.reason;
    };
    assert.equal(roleOf(['admins']), 'admin');
    assert.equal(roleOf('admins'), 'admin');
    for (const groups of [
      undefined,
      null,
      [],
      'admins2',
      ['Admins'],
      [['admins']],
      { admins: true },
      'x admins',
    ]) {
      assert.equal(roleOf(groups), 'user', JSON.stringify(groups));
    }
  });

  it('give the organization, and nobody without one gets in', () => {
    const change = { claims: { name: 'name', groups: 'realm.roles', organization: 'org.id' } };
    const of = (claims: object) => identityOf({ sub: 's', ...claims }, providerConfig(issuer, change));
    const found = of({ org: { id: 'acme' }, realm: { roles: ['admins'] } });
    assert.ok(found.ok);
    assert.equal(found.identity.organization, 'acme');
    assert.equal(found.identity.role, 'admin');
    for (const org of [undefined, {}, { id: '' }, { id: 5 }, { id: 'a b' }, { id: 'x'.repeat(129) }]) {
      assert.deepEqual(of({ org }), { ok: false, reason: 'organization_missing' });
    }
    assert.equal(of(Object.create({ org: { id: 'inherited' } }) as object).ok, false);
  });

  it('need a subject', () => {
    for (const sub of ['', 5, null, 'x'.repeat(256)]) {
      assert.equal(identityOf({ sub }, providerConfig(issuer)).ok, false);
    }
  });
});

describe('a sealed token', () => {
  const seal = createSeal(Buffer.alloc(32, 1));
  const closed = seal.close(new Secret('refresh me'), ['issuer', 'subject']);

  it('opens for its row and key alone', () => {
    assert.equal(seal.open(closed, ['issuer', 'subject'])?.reveal(), 'refresh me');
    assert.equal(seal.open(closed, ['issuer', 'other']), null);
    assert.equal(seal.open(closed, ['issuers', 'ubject']), null);
    assert.equal(createSeal(Buffer.alloc(32, 2)).open(closed, ['issuer', 'subject']), null);
  });

  it('opens no more when a bit of it has changed, or is missing', () => {
    const bytes = Buffer.from(closed, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(seal.open(changed.toString('base64url'), ['issuer', 'subject']), null, `byte ${at}`);
      assert.equal(seal.open(bytes.subarray(0, at).toString('base64url'), ['issuer', 'subject']), null);
    }
  });
});
