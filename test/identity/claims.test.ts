import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRefusal, type RefusalCode } from '../../src/base/index.ts';
import type { ClaimRules } from '../../src/identity/index.ts';
import { verifiedToken } from '../../src/identity/index.ts';

// What a configuration makes of claims that an issuer vouches for. Issuers as design and documents describe them.

const own = 'https://mcp.example.com/mcp';
const base: ClaimRules = {
  issuer: 'https://idp.example.com',
  audience: [own],
  scopes: 'scope',
  organization: null,
  grant: null,
};

function read(claims: Record<string, unknown>, rules: Partial<ClaimRules> = {}) {
  const result = verifiedToken(
    { sub: 'alice', exp: 2e9, aud: own, ...claims },
    { ...base, ...rules },
    'token',
  );
  return isRefusal(result) ? result.code : result.principal;
}

const code = (claims: Record<string, unknown>, rules: Partial<ClaimRules> = {}): RefusalCode | 'ok' => {
  const result = read(claims, rules);
  return typeof result === 'string' ? result : 'ok';
};

describe('the id of a token', () => {
  const idOf = (claims: Record<string, unknown>, token: string) => {
    const result = verifiedToken({ sub: 'alice', exp: 2e9, aud: own, ...claims }, base, token);
    return isRefusal(result) ? result.code : result.principal.tokenId;
  };

  it('is its jti, or a digest where there is none', () => {
    assert.equal(idOf({ jti: 'id-1' }, 'opaque-token-of-some-length'), 'id-1');
    for (const jti of [undefined, '', 7, 'x'.repeat(501)])
      assert.match(idOf({ jti }, 'opaque-token-of-some-length'), /^sha256:[0-9a-f]{32}$/);
  });

  it('is never the token itself, whatever its issuer gives as jti', () => {
    const token = 'ory_at_VqWxyz0123456789abcdefghij';
    for (const jti of [token, token.slice(7), token.slice(0, -6)])
      assert.match(idOf({ jti }, token), /^sha256:/);
    assert.equal(idOf({ jti: 'ory_at' }, token), 'ory_at');
  });
});

describe('the audience', () => {
  it('beside others is enough, unless it must be alone', () => {
    const several = { aud: [own, 'https://idp.example.com/userinfo'] };
    assert.equal(code(several), 'ok');
    assert.equal(code(several, { exclusiveAudience: true }), 'token_audience');
    assert.equal(code({ aud: [own, own, `${own}/`] }, { exclusiveAudience: true }), 'ok');
    assert.equal(code({ aud: [own, 1] }, { exclusiveAudience: true }), 'token_audience');
    assert.equal(code({ aud: [] }, { exclusiveAudience: true }), 'token_audience');
  });

  it('may stand in another claim, and then in that one alone', () => {
    const rules = { audienceClaim: 'resource' };
    assert.equal(code({ resource: own, aud: 'x' }, rules), 'ok');
    assert.equal(code({ aud: own }, rules), 'token_audience');
    for (const audienceClaim of ['__proto__', 'constructor', 'toString'])
      assert.equal(code({}, { audienceClaim }), 'token_audience');
  });

  it('that no server may have opens nothing, and is not the same as none', () => {
    assert.equal(code({}, { audience: [] }), 'token_audience');
    assert.equal(code({ aud: undefined }, { audience: [] }), 'token_audience');
    assert.equal(code({ client_id: 'c' }, { audience: [], clientIds: ['c'] }), 'token_audience');
  });

  it('is never left out without clients in its place', () => {
    assert.equal(code({}, { audience: null }), 'token_audience');
    assert.equal(code({}, { audience: null, clientIds: null }), 'token_audience');
    assert.equal(code({}, { audience: null, clientIds: [] }), 'token_audience');
  });
});

describe('clients', () => {
  const cognito = { audience: null, clientIds: ['one', 'two'] };
  it('stand in for an audience, exactly', () => {
    assert.equal(code({ aud: undefined, client_id: 'one' }, cognito), 'ok');
    for (const client_id of ['three', 'One', 'one ', '', undefined, ['one'], { one: 1 }])
      assert.equal(code({ aud: undefined, client_id }, cognito), 'token_audience');
  });

  it('are asked for beside an audience, where both are given', () => {
    const both = { clientIds: ['one'] };
    assert.equal(code({ client_id: 'one' }, both), 'ok');
    assert.equal(code({ client_id: 'two' }, both), 'token_audience');
    assert.equal(code({ client_id: 'one', aud: 'x' }, both), 'token_audience');
  });

  it('are named by client_id before azp, or by the claim that is configured alone', () => {
    assert.equal(code({ client_id: 'two', azp: 'one' }, { clientIds: ['one'] }), 'token_audience');
    assert.equal(code({ azp: 'one' }, { clientIds: ['one'] }), 'ok');
    assert.equal(code({ cid: 'one' }, { clientIds: ['one'], client: 'cid' }), 'ok');
    assert.equal(code({ client_id: 'one' }, { clientIds: ['one'], client: 'cid' }), 'token_audience');
  });
});

describe('claims by configuration', () => {
  it('scopes come from one claim, or from several together', () => {
    const entra = { scopes: ['scp', 'roles'] };
    const principal = read({ scp: 'read write', roles: ['admin', 'read'], scope: 'ignored' }, entra);
    assert.ok(typeof principal !== 'string');
    assert.deepEqual(principal.scopes, ['read', 'write', 'admin']);
    assert.equal(code({ scp: 'read', roles: { admin: true } }, entra), 'token_claims');
    assert.equal(code({ scp: 1 }, entra), 'token_claims');
  });

  it('required ones hold exactly what is required', () => {
    const rules = { required: { tid: 'tenant' } };
    assert.equal(code({ tid: 'tenant' }, rules), 'ok');
    assert.equal(code({ tid: ['other', 'tenant'] }, rules), 'ok');
    for (const tid of [undefined, null, '', 'Tenant', 'tenant ', 'other', { tenant: 1 }, [['tenant']], true])
      assert.equal(code({ tid }, rules), 'token_claims');
  });

  it('the subject is the one that is configured, and no other', () => {
    const principal = read({ oid: 'object' }, { subject: 'oid' });
    assert.ok(typeof principal !== 'string' && principal.subject === 'object');
    assert.equal(code({}, { subject: 'oid' }), 'token_claims');
    assert.equal(code({}, { subject: 'constructor' }), 'token_claims');
  });
});

describe('who acts for the subject (RFC 8693 section 4.1)', () => {
  const actors = (act: unknown) => {
    const result = read({ act });
    return typeof result === 'string' ? result : result.actors;
  };
  const chain = (depth: number): object => (depth === 0 ? { sub: 'x' } : { sub: 'x', act: chain(depth - 1) });

  it('is the chain, nearest first, and nobody where there is none', () => {
    assert.deepEqual(actors(undefined), []);
    assert.deepEqual(actors({ sub: 'agent', iss: 'https://a', act: { sub: 'portal' } }), ['agent', 'portal']);
  });

  it('is not guessed: a token whose act names nobody is refused', () => {
    const bad = [null, 'agent', [], {}, { sub: '' }, { sub: 1 }, { sub: ['a'] }, { sub: 'a', act: {} }];
    for (const act of [...bad, { sub: 'x'.repeat(501) }, chain(8), chain(1_000)]) {
      assert.equal(actors(act), 'token_claims');
    }
    assert.equal((actors(chain(7)) as readonly string[]).length, 8);
  });
});
