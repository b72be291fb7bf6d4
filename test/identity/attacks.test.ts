import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isRefusal, type RefusalCode } from '../../src/base/index.ts';
import type { Authenticator } from '../../src/identity/index.ts';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { startIssuer, type TestIssuer } from './issuer.ts';
import { resource, verification } from './verification.ts';

const seconds = () => Math.floor(Date.now() / 1000);
const encoded = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');

let issuer: TestIssuer;
let other: TestIssuer;
let outbound: Outbound;
let authenticator: Authenticator;

before(async () => {
  outbound = createOutbound();
  issuer = await startIssuer();
  other = await startIssuer();
  authenticator = verification([issuer, other], { outbound });
});

after(async () => {
  await issuer.stop();
  await other.stop();
  await outbound.close();
});

/** Signs bytes that no JSON serializer would write, with the issuer's own key. */
async function signRaw(payload: string | Uint8Array, header?: string): Promise<string> {
  const head = header ?? JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'key-1' });
  const signed = `${encoded(head)}.${encoded(payload)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, issuer.privateKey, Buffer.from(signed));
  return `${signed}.${encoded(new Uint8Array(signature))}`;
}

const claims = (more: Record<string, unknown> = {}) => ({
  iss: issuer.issuer,
  sub: 'alice',
  aud: resource,
  client_id: 'client',
  scope: 'mcp:tools:read',
  exp: seconds() + 300,
  ...more,
});

async function refused(token: string, code?: RefusalCode): Promise<void> {
  const result = await authenticator.authenticate(token);
  assert.ok(isRefusal(result), 'the token was accepted');
  if (code) assert.equal(result.code, code, result.detail);
}

async function accepted(token: string) {
  const result = await authenticator.authenticate(token);
  assert.ok(!isRefusal(result), isRefusal(result) ? `${result.code}: ${result.detail}` : '');
  return result;
}

describe('claims that two readers read differently', () => {
  for (const [name, twice] of Object.entries({
    aud: `"aud":"https://other.example"`,
    sub: `"sub":"root"`,
    scope: `"scope":"mcp:tools:admin"`,
    exp: `"exp":1`,
    'aud, its name in escapes': `"\\u0061ud":"https://other.example"`,
  })) {
    it(`${name} twice, whichever comes last`, async () => {
      const text = JSON.stringify(claims());
      await refused(await signRaw(text.replace('{', `{${twice},`)));
      await refused(await signRaw(text.replace(/}$/, `,${twice}}`)));
    });
  }

  it('a member twice in the header', async () => {
    const header = '{"typ":"JWT","alg":"ES256","typ":"at+jwt","kid":"key-1"}';
    await refused(await signRaw(JSON.stringify(claims()), header));
  });

  it('a claim whose name is in escapes: what verifies the token could miss it', async () => {
    // V8 then reads the name in the last place as `\\u0`: see src/base/json.ts.
    const before = JSON.stringify({ ...claims(), '\\u0': 1 });
    JSON.parse(before);
    const text = JSON.stringify({ ...claims(), cnf: { jkt: 'x' } });
    await refused(await signRaw(text.replace('"cnf"', String.raw`"\u0063nf"`)));
    await refused(await signRaw(text.replace('"jkt"', String.raw`"\u006akt"`)));
    await accepted(
      await signRaw(JSON.stringify({ ...claims(), 'name "x"': 1, é: 1 }).replace('é', String.raw`\u00e9`)),
    );
  });

  it('bytes that are no UTF-8, or begin with a mark', async () => {
    const text = Buffer.from(JSON.stringify(claims({ sub: 'al?ce' })));
    const broken = Buffer.from(text);
    broken[broken.indexOf('?')] = 0xff;
    await refused(await signRaw(broken));
    await refused(await signRaw(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text])));
  });

  it('no object', async () => {
    for (const payload of ['[]', 'null', '1', '"text"', '', '{', '{}']) await refused(await signRaw(payload));
  });
});

describe('claims in another case', () => {
  it('are not the claims', async () => {
    for (const [from, to] of [
      ['aud', 'AUD'],
      ['aud', 'Aud'],
      ['iss', 'ISS'],
      ['sub', 'Sub'],
      ['exp', 'EXP'],
      ['aud', 'aud '],
      ['aud', 'аud'],
    ] as const) {
      const all: Record<string, unknown> = claims();
      const value = all[from];
      delete all[from];
      await refused(await signRaw(JSON.stringify({ ...all, [to]: value })));
    }
  });

  it('add nothing to them', async () => {
    const more = { Scope: 'mcp:tools:admin', SCOPE: 'mcp:tools:admin', Sub: 'root', Client_Id: 'root' };
    const principal = await accepted(await signRaw(JSON.stringify(claims({ ...more, jti: 'case' }))));
    assert.deepEqual(principal.scopes, ['mcp:tools:read']);
    assert.equal(principal.subject, 'alice');
    assert.equal(principal.clientId, 'client');
  });

  it('nor do names of the object itself', async () => {
    const text = JSON.stringify(claims()).replace('"aud"', '"__proto__":{"aud":"x"},"constructor":1,"x"');
    await refused(await signRaw(text));
  });
});

describe('tokens bound to a key or a certificate (RFC 7800)', () => {
  for (const [what, cnf] of Object.entries({
    'a key': { jkt: 'A'.repeat(43) },
    'a certificate': { 'x5t#S256': 'A'.repeat(43) },
    both: { jkt: 'A'.repeat(43), 'x5t#S256': 'A'.repeat(43) },
    'a whole key': { jwk: { kty: 'EC' } },
    'a key by name': { kid: 'x' },
    'a key elsewhere': { jku: 'https://evil.example/jwks' },
    'something unheard of': { 'x-own': true },
    nothing: {},
    null: null,
    text: 'A'.repeat(43),
    'a list': [{ jkt: 'A'.repeat(43) }],
    'a number': 1,
    false: false,
    'a jkt that is no text': { jkt: 1 },
    'a jkt in a list': { jkt: ['A'.repeat(43)] },
    'an empty jkt': { jkt: '' },
    'a short jkt': { jkt: 'AAAA' },
  })) {
    it(`are nothing to who shows no proof: ${what}`, async () => {
      await refused(await issuer.sign(claims({ cnf, jti: what })));
    });
  }
});

describe('size', () => {
  it('a payload of a megabyte, and one as deep', async () => {
    await refused(await signRaw(JSON.stringify(claims({ junk: 'x'.repeat(1_000_000) }))));
    await refused(await signRaw(`{"junk":${'['.repeat(50_000)}${']'.repeat(50_000)}}`));
  });

  it('tiny ones', async () => {
    for (const token of [
      '.',
      '..',
      '...',
      'e30.e30.',
      'e30.e30.AA',
      'e30',
      'bnVsbA.bnVsbA.AA',
      '=',
      'A=.B=.C=',
    ]) {
      await refused(token);
    }
  });
});

describe('several issuers', () => {
  it('one does not speak in the name of another, by kid or by claim', async () => {
    await refused(await other.sign(claims()), 'token_signature');
    await refused(await other.sign(claims({ iss: other.issuer }), { kid: 'key-2' }));
    await refused(await issuer.sign(claims({ iss: [issuer.issuer, other.issuer] })));
    await refused(await issuer.sign(claims({ iss: `${issuer.issuer} ${other.issuer}` })));
  });

  it('the same subject of two issuers is two callers', async () => {
    const first = await accepted(await issuer.sign(claims({ jti: 'one' })));
    const second = await accepted(await other.sign(claims({ iss: other.issuer, jti: 'two' })));
    assert.notEqual(first.subjectKey, second.subjectKey);
    assert.notEqual(first.key, second.key);
    assert.notEqual(first.organization, second.organization);
  });
});

describe('a JWT of an issuer that does not name its kinds in the header', () => {
  const asConfigured = () => verification([issuer], { outbound, typ: ['at+jwt', 'jwt'] });
  const codeOf = async (more: Record<string, unknown>, header: Record<string, unknown> = {}) => {
    const token = await signRaw(
      JSON.stringify(claims(more)),
      JSON.stringify({ alg: 'ES256', kid: 'key-1', ...header }),
    );
    const result = await asConfigured().authenticate(token);
    return isRefusal(result) ? result.code : 'ok';
  };
  const others: Record<string, Record<string, unknown>> = {
    'an ID token by its hash of the access token': { at_hash: 'x' },
    'an ID token by its hash of the code': { c_hash: 'x' },
    'an ID token by its nonce': { nonce: 'n' },
    'a logout token': { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    'an ID token that says so, as Keycloak': { typ: 'ID', azp: 'client' },
    'a refresh token that says so, as Keycloak': { typ: 'Refresh' },
    'an ID token that says so, as Cognito': { token_use: 'id' },
    'a refresh token that says so': { token_type: 'refresh' },
    'a kind that is no text': { token_use: ['access'] },
  };
  for (const [what, more] of Object.entries(others)) {
    it(`is refused where it is ${what}`, async () => {
      for (const header of [{}, { typ: 'JWT' }]) assert.equal(await codeOf(more, header), 'token_type');
    });
  }

  it('is taken where it is an access token, also with a nonce when it says so', async () => {
    for (const more of [{}, { typ: 'Bearer', nonce: 'n' }, { token_use: 'access' }, { token_type: 'access' }])
      assert.equal(await codeOf(more, { typ: 'JWT' }), 'ok');
    assert.equal(await codeOf({ nonce: 'n' }, { typ: 'at+jwt' }), 'ok');
    assert.equal(await codeOf({ token_use: 'id' }, { typ: 'at+jwt' }), 'token_type');
  });

  it('is refused where the kind in its header is no text', async () => {
    for (const typ of [['at+jwt'], null, 1, {}]) assert.equal(await codeOf({}, { typ }), 'token_type');
  });
});

describe('one token in several spellings', () => {
  it('is refused with bits behind its last byte, in each part', async () => {
    const token = await signRaw(JSON.stringify(claims()));
    for (const at of [0, 1, 2]) {
      const parts = token.split('.');
      const part = parts[at] ?? '';
      const bytes = Buffer.from(part, 'base64url');
      const twin = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
        .map((last) => part.slice(0, -1) + last)
        .find((one) => one !== part && Buffer.from(one, 'base64url').equals(bytes));
      if (twin === undefined) continue; // a multiple of three bytes has one spelling
      parts[at] = twin;
      await refused(parts.join('.'), 'token_malformed');
    }
  });

  it('has one name in the records, whatever signature its holder makes of the first', async () => {
    const { jti: _none, ...rest } = claims() as Record<string, unknown>;
    const token = await signRaw(JSON.stringify(rest));
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    // ECDSA: (r, n - s) is as good a signature as (r, s), and needs no key.
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const other = order - BigInt(`0x${signature.subarray(32).toString('hex')}`);
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(other.toString(16).padStart(64, '0'), 'hex'),
    ]);
    const first = await accepted(token);
    const second = await accepted(`${token.slice(0, end + 1)}${encoded(twin)}`);
    assert.match(first.tokenId, /^sha256:/);
    assert.equal(second.tokenId, first.tokenId);
  });
});

it('claims that the header says are encoded otherwise', async () => {
  for (const more of [{ b64: false }, { b64: true }, { zip: 'DEF' }]) {
    const header = JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'key-1', ...more });
    await refused(await signRaw(JSON.stringify(claims()), header), 'token_malformed');
  }
});

it('a token that is made later than now, which no revocation would reach', async () => {
  for (const iat of [seconds() + 60, 1e12, 1e308]) {
    await refused(await issuer.sign({ aud: resource, iat }), 'token_not_yet_valid');
  }
  for (const iat of [seconds() + 20, 0, -1]) await accepted(await issuer.sign({ aud: resource, iat }));
});
