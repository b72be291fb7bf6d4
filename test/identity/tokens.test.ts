import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type CryptoKey, exportSPKI, importJWK, SignJWT } from 'jose';
import { type Clock, isRefusal, type RefusalCode, silentLog, systemClock } from '../../src/base/index.ts';
import {
  type Authenticator,
  createAuthenticator,
  createJwksVerifier,
  IssuerKeys,
} from '../../src/identity/index.ts';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { startIssuer, type TestIssuer } from './issuer.ts';

const resource = 'https://mcp.example.com/mcp';
const now = () => Math.floor(Date.now() / 1000);
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

let issuer: TestIssuer;
let other: TestIssuer;
let outbound: Outbound;
let authenticator: Authenticator;

function authenticatorFor(issuers: TestIssuer[], clock: Clock = systemClock): Authenticator {
  return createAuthenticator(
    issuers.map(({ issuer: name }) => {
      const keys = new IssuerKeys({ issuer: name, jwksUri: null, outbound, clock, log: silentLog });
      return createJwksVerifier({
        rules: { issuer: name, audience: [resource], scopes: 'scope', organization: 'org', grant: null },
        algorithms: ['ES256', 'RS256'],
        typ: ['at+jwt'],
        key: keys.find,
        skewSeconds: 30,
        clock,
      });
    }),
    clock,
  );
}

before(async () => {
  outbound = createOutbound();
  issuer = await startIssuer();
  other = await startIssuer();
  authenticator = authenticatorFor([issuer, other]);
});

after(async () => {
  await issuer.stop();
  await other.stop();
  await outbound.close();
});

async function refused(token: string, code?: RefusalCode): Promise<void> {
  const result = await authenticator.authenticate(token);
  assert.ok(isRefusal(result), 'the token was accepted');
  if (code) assert.equal(result.code, code, result.detail);
  assert.ok(token.length < 20 || !JSON.stringify(result).includes(token), 'the refusal holds the token');
}

describe('a good token', () => {
  it('is who it says', async () => {
    const token = await issuer.sign({ aud: resource, scope: 'mcp:tools:read a b', org: 'acme', jti: 'j1' });
    const principal = await authenticator.authenticate(token);
    assert.ok(!isRefusal(principal));
    const { subject, clientId, organization, scopes, tokenId } = principal;
    assert.deepEqual(
      { subject, clientId, organization, scopes, tokenId },
      {
        subject: 'alice',
        clientId: 'client',
        organization: 'acme',
        scopes: ['mcp:tools:read', 'a', 'b'],
        tokenId: 'j1',
      },
    );
  });

  for (const [what, aud] of Object.entries({
    'the exact audience': resource,
    'a list with it': ['https://other.example', resource],
    'one trailing slash more': `${resource}/`,
  })) {
    it(`passes with ${what}`, async () => {
      assert.ok(!isRefusal(await authenticator.authenticate(await issuer.sign({ aud }))));
    });
  }

  it('is verified once, and expires all the same', async () => {
    let offset = 0;
    const clock: Clock = { now: () => Date.now() + offset, monotonic: () => performance.now() };
    const own = authenticatorFor([issuer], clock);
    const token = await issuer.sign({ aud: resource, exp: now() + 100 });
    assert.ok(!isRefusal(await own.authenticate(token)));
    offset = 200_000;
    const late = await own.authenticate(token);
    assert.ok(isRefusal(late) && late.code === 'token_expired');
  });
});

describe('audiences that are not ours', () => {
  const variants: Record<string, unknown> = {
    none: undefined,
    null: null,
    empty: '',
    'an empty list': [],
    'another server': 'https://other.example.com/mcp',
    'a sibling path': 'https://mcp.example.com/other',
    'the origin': 'https://mcp.example.com',
    'two slashes more': `${resource}//`,
    'upper case': 'https://MCP.example.com/mcp',
    'an upper-case path': 'https://mcp.example.com/MCP',
    'a percent encoding': 'https://mcp.example.com/%6dcp',
    http: 'http://mcp.example.com/mcp',
    'the default port': 'https://mcp.example.com:443/mcp',
    'a query': `${resource}?`,
    'a fragment': `${resource}#`,
    'a space': `${resource} `,
    'a prefix': `${resource}evil`,
    'a Cyrillic letter': 'https://mcp.ex\u0430mple.com/mcp',
    'full-width letters': 'https://mcp.example.com/\uff4dcp',
    'a list in text': JSON.stringify([resource]),
    'several in one text': `https://other.example ${resource}`,
    'a nested list': [[resource]],
    'an object': { 0: resource },
    'a number': 1,
    true: true,
  };
  for (const [what, aud] of Object.entries(variants)) {
    it(what, async () => {
      await refused(await issuer.sign({ aud }));
    });
  }
});

describe('signatures that are not', () => {
  const claims = () => ({
    iss: issuer.issuer,
    sub: 'mallory',
    aud: resource,
    exp: now() + 300,
    client_id: 'x',
  });
  const header = (extra: object) => ({ typ: 'at+jwt', kid: 'key-1', ...extra });

  it('none, in every spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      await refused(`${part(header({ alg }))}.${part(claims())}.`);
      await refused(`${part(header({ alg }))}.${part(claims())}.AAAA`);
    }
  });

  it('HMAC with the public key as secret', async () => {
    const key = await importJWK(issuer.publicJwk, 'ES256');
    const secrets = [
      await exportSPKI(key as CryptoKey),
      JSON.stringify(issuer.publicJwk),
      issuer.publicJwk.x ?? '',
    ];
    for (const secret of secrets) {
      for (const [alg, name] of [
        ['HS256', 'sha256'],
        ['HS512', 'sha512'],
      ] as const) {
        const signed = `${part(header({ alg }))}.${part(claims())}`;
        await refused(`${signed}.${createHmac(name, secret).update(signed).digest('base64url')}`);
      }
    }
  });

  it('a key of its own in the header: jwk, jku, x5u, x5c', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const asked = issuer.requests.length;
    for (const extra of [
      { jwk },
      { jku: `${other.issuer}/jwks` },
      { x5u: `${other.issuer}/cert` },
      { x5c: ['MIIB'] },
      { jwk, kid: undefined },
    ]) {
      const signed = `${part(header({ alg: 'ES256', ...extra }))}.${part(claims())}`;
      const signature = signBytes('sha256', Buffer.from(signed), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      });
      await refused(`${signed}.${signature.toString('base64url')}`);
    }
    assert.ok(!other.requests.includes('/cert'), 'x5u was fetched');
    assert.ok(issuer.requests.length - asked <= 1, 'bad tokens made the gateway fetch keys again and again');
  });

  it('a kid that is a path, SQL, or not there', async () => {
    for (const kid of [
      '../../../../dev/null',
      "' OR 1=1 --",
      'http://127.0.0.1/',
      '\u0000',
      'key-1\n',
      '__proto__',
    ]) {
      await refused(await issuer.sign({ aud: resource }, { kid }));
    }
  });

  it('crit and b64 that nobody understands', async () => {
    for (const extra of [{ crit: ['x'], x: 1 }, { crit: ['b64'], b64: false }, { crit: [] }]) {
      const token = `${part(header({ alg: 'ES256', ...extra }))}.${part(claims())}.${'A'.repeat(86)}`;
      await refused(token);
    }
  });

  it('a good signature over something else', async () => {
    const token = await issuer.sign({ aud: resource });
    const [head, body, signature] = token.split('.') as [string, string, string];
    await refused(`${head}.${part({ ...claims(), sub: 'root' })}.${signature}`);
    await refused(`${head}.${body}.${signature.slice(0, -2)}AA`);
    await refused(`${head}.${body}.`);
    await refused(`${head}.${body}.${'A'.repeat(86)}`);
    await refused(`${head}.${body}`);
    await refused(`${head}.${body}.${signature}.${signature}`);
    await refused(`${token}=`);
    await refused(`${head}.${body}.${signature.replace(/-/g, '+').replace(/_/g, '/')}+`);
  });

  it('another issuer, by its keys or in its name', async () => {
    await refused(await other.sign({ aud: resource, iss: issuer.issuer }), 'token_signature');
    await refused(await issuer.sign({ aud: resource, iss: other.issuer }), 'token_signature');
    for (const iss of [
      'https://evil.example',
      `${issuer.issuer}/`,
      issuer.issuer.toUpperCase(),
      [issuer.issuer],
      undefined,
    ]) {
      await refused(await issuer.sign({ aud: resource, iss }));
    }
  });
});

describe('claims that do not hold', () => {
  const cases: Record<string, [Record<string, unknown>, RefusalCode?]> = {
    expired: [{ exp: now() - 60 }, 'token_expired'],
    'not yet valid': [{ nbf: now() + 120 }, 'token_not_yet_valid'],
    'without exp': [{ exp: undefined }],
    'exp in text': [{ exp: String(now() + 300) }],
    'exp null': [{ exp: null }],
    'exp in a list': [{ exp: [now() + 300] }],
    'exp an object': [{ exp: {} }],
    'exp at the end of time': [{ exp: 1e300 }],
    'exp true': [{ exp: true }],
    'exp negative': [{ exp: -1 }],
    'nbf in text': [{ nbf: '0' }],
    'without sub': [{ sub: undefined }],
    'an empty sub': [{ sub: '' }],
    'sub a number': [{ sub: 1 }],
    'scopes as an object': [{ scope: { admin: true } }],
    'scopes as a list of odd things': [{ scope: ['a', 1] }],
    'a thousand scopes': [{ scope: Array.from({ length: 1000 }, (_, i) => `s${i}`).join(' ') }],
  };
  for (const [what, [claims, code]] of Object.entries(cases)) {
    it(what, async () => {
      await refused(await issuer.sign({ aud: resource, ...claims }), code);
    });
  }

  it('exp written as 1e400', async () => {
    const body = JSON.stringify({ iss: issuer.issuer, sub: 'a', aud: resource }).replace(
      '}',
      ',"exp":1e400}',
    );
    const signed = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'key-1' })}.${part(body)}`;
    const signature = await crypto.subtle.sign(
      { name: 'ECDSA', hash: 'SHA-256' },
      issuer.privateKey,
      Buffer.from(signed),
    );
    await refused(`${signed}.${Buffer.from(signature).toString('base64url')}`);
  });

  it('another kind of token: ID token, no typ, logout token, DPoP proof', async () => {
    for (const typ of ['JWT', undefined, 'id_token', 'logout+jwt', 'dpop+jwt', 'at+jwt2', '']) {
      const key = await new SignJWT({ aud: resource, sub: 'alice', client_id: 'c' })
        .setProtectedHeader({ alg: 'ES256', kid: 'key-1', ...(typ === undefined ? {} : { typ }) })
        .setIssuer(issuer.issuer)
        .setExpirationTime('5m')
        .sign(issuer.privateKey);
      await refused(key, 'token_type');
    }
  });

  it('no token at all', async () => {
    for (const token of [
      '',
      'a',
      'a.b',
      'a.b.c',
      '..',
      '.'.repeat(8000),
      'é.é.é',
      part('{}'),
      `${part('[]')}.${part('[]')}.AA`,
    ]) {
      await refused(token);
    }
  });
});

describe('keys of the issuer', () => {
  it('rotate with overlap, and asking for an unknown one is not a way to flood it', async () => {
    const own = await startIssuer();
    let offset = 0;
    const clock: Clock = { now: () => Date.now() + offset, monotonic: () => performance.now() };
    const auth = authenticatorFor([own], clock);
    const first = await own.sign({ aud: resource, sub: 'first' });
    assert.ok(!isRefusal(await auth.authenticate(first)));
    const fetched = own.requests.filter((url) => url === '/jwks').length;
    const bad = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        own.sign({ aud: resource, jti: `n${i}` }, { kid: `unknown-${i}` }),
      ),
    );
    for (const token of bad) assert.ok(isRefusal(await auth.authenticate(token)));
    assert.ok(own.requests.filter((url) => url === '/jwks').length - fetched <= 1);
    await own.rotate({ keepOld: true });
    offset = 31_000;
    assert.ok(!isRefusal(await auth.authenticate(await own.sign({ aud: resource, sub: 'second' }))));
    await own.stop();
  });

  it('go on while the issuer is down; without any, nothing is accepted', async () => {
    const own = await startIssuer();
    const known = authenticatorFor([own]);
    assert.ok(!isRefusal(await known.authenticate(await own.sign({ aud: resource, jti: 'a' }))));
    await own.stop();
    assert.ok(!isRefusal(await known.authenticate(await own.sign({ aud: resource, jti: 'b' }))));
    const fresh = await authenticatorFor([own]).authenticate(await own.sign({ aud: resource, jti: 'c' }));
    assert.ok(isRefusal(fresh) && fresh.code === 'issuer_unavailable');
  });
});
