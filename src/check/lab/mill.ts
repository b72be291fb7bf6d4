import { createPublicKey } from 'node:crypto';
import { randomToken } from '../../base/index.ts';
import type { Severity } from '../probe.ts';
import { forged, hmacSigned, type OwnKey, signed, unsigned } from '../tokens/forge.ts';
import type { Trial } from '../tokens/trial.ts';

export interface MillOptions {
  /** The issuer that the server under test trusts for this. */
  readonly issuer: string;
  /** The audience of a good token: the target’s URL. */
  readonly audience: string;
  readonly scope: string;
  /** In place of, or beside, the usual claims: what this server needs to know its own. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Published by the issuer. */
  readonly key: OwnKey;
  /** Published by nobody. */
  readonly otherKey: OwnKey;
  /** Seconds since the epoch. */
  readonly now: number;
}

type Claims = Readonly<Record<string, unknown>>;

/** What a good token of the lab says. */
export function goodClaims({ issuer, audience, scope, now, claims }: MillOptions): Record<string, unknown> {
  const usual = { sub: 'lab-alice', client_id: 'portcullis-lab', scope };
  return { ...usual, ...claims, iss: issuer, aud: audience, jti: randomToken(12), iat: now, exp: now + 900 };
}

/** Tokens of a trusted issuer that a resource server must refuse, each wrong in one way. */
export async function mill(options: MillOptions): Promise<Trial[]> {
  const good = goodClaims(options);
  const claims = await Promise.all(
    wrongClaims(options).map(async ([what, change, severity]) => ({
      what,
      token: forged(await signed(without({ ...good, ...change }), options.key, { kid: options.key.jwk.kid })),
      ...(severity && { severity }),
    })),
  );
  return [...claims, ...(await wrongHeaders(good, options)), ...(await wrongForms(good, options))];
}

/** Members that are `undefined` are not there at all. */
function without(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

type Change = readonly [string, Claims, Severity?];

function wrongClaims({ audience, issuer, now }: MillOptions): Change[] {
  const url = new URL(audience);
  const other = 'https://other.example/mcp';
  return [
    ['expired an hour ago', { iat: now - 7200, exp: now - 3600 }],
    ['expired two minutes ago', { iat: now - 600, exp: now - 120 }],
    ['without exp', { exp: undefined }],
    ['exp as text', { exp: String(now + 900) }],
    ['exp of nothing', { exp: null }],
    ['nbf tomorrow', { nbf: now + 86_400 }],
    ['nbf as text', { nbf: 'tomorrow' }, 'medium'],
    ['without aud', { aud: undefined }],
    ['aud empty', { aud: '' }],
    ['aud an empty list', { aud: [] }],
    ['aud null', { aud: null }],
    ['aud an object', { aud: { [audience]: true } }],
    ['aud of another server', { aud: other }],
    ['aud a list of others', { aud: [other, 'https://third.example'] }],
    ['aud of this server and another', { aud: [audience, other] }, 'medium'],
    ['aud the origin alone', { aud: url.origin }],
    ['aud with another query', { aud: `${audience}?x` }],
    ['aud of a path below', { aud: `${audience}/other` }],
    ['aud of a sibling path', { aud: `${url.origin}/sibling/mcp` }],
    ['aud that begins alike', { aud: `${audience}.evil.example` }],
    ['aud in capitals', { aud: audience.toUpperCase() }],
    ['aud with another port', { aud: `${url.protocol}//${url.hostname}:1${url.pathname}` }],
    ['aud the issuer', { aud: issuer }],
    ['aud the client', { aud: 'portcullis-lab' }],
    ['without iss', { iss: undefined }],
    ['iss of another issuer', { iss: 'https://issuer.example' }],
    ['iss with a slash behind', { iss: `${issuer}/` }, 'medium'],
    ['iss a list', { iss: [issuer] }],
    ['without sub', { sub: undefined }, 'medium'],
    ['sub a number', { sub: 7 }, 'low'],
    ['sub empty', { sub: '' }, 'medium'],
    ['bound to a key, sent without proof', { cnf: { jkt: 'A'.repeat(43) } }, 'high'],
    ['bound to a certificate, sent without it', { cnf: { 'x5t#S256': 'A'.repeat(43) } }, 'high'],
    ['bound in a way nobody knows', { cnf: { unknown: true } }, 'medium'],
  ];
}

async function wrongHeaders(good: Claims, { key, otherKey }: MillOptions): Promise<Trial[]> {
  const { kid } = key.jwk;
  const trial = async (what: string, header: Claims, by = key, severity?: Severity): Promise<Trial> => ({
    what,
    token: forged(await signed(good, by, { kid, ...header })),
    ...(severity && { severity }),
  });
  return [
    await trial('signed by another key under the same kid', {}, otherKey),
    await trial('signed by a key that nobody publishes', { kid: 'unknown' }, otherKey),
    await trial('its own key in jwk', { jwk: otherKey.jwk }, otherKey),
    await trial('its own key at jku', { jku: 'https://keys.portcullis-check.invalid/jwks' }, otherKey),
    await trial('typ of a logout token', { typ: 'logout+jwt' }, key, 'high'),
    await trial('typ of a DPoP proof', { typ: 'dpop+jwt' }, key, 'high'),
    await trial('typ of a security event', { typ: 'secevent+jwt' }, key, 'high'),
    ...(await idTokens(good, key)),
  ];
}

/** RFC 9068 section 4: typ keeps ID tokens out. */
async function idTokens(good: Claims, key: OwnKey): Promise<Trial[]> {
  const { kid } = key.jwk;
  const claims = { ...good, aud: 'portcullis-lab', nonce: 'n', at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' };
  const sign = (one: Claims) => signed(one, key, { kid, typ: 'JWT' });
  return [
    { what: 'an ID token', token: forged(await sign(claims)) },
    {
      what: 'an ID token with the server as its audience',
      token: forged(await sign({ ...claims, aud: good['aud'] })),
      severity: 'high',
    },
  ];
}

async function wrongForms(good: Claims, { key, otherKey }: MillOptions): Promise<Trial[]> {
  const { kid, alg } = key.jwk;
  const header = { alg, kid, typ: 'at+jwt' };
  const token = await signed(good, key, { kid });
  const [head = '', payload = '', signature = ''] = token.split('.');
  const pem = String(
    createPublicKey({ key: { ...publicPart(key) }, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
  );
  const trial = (what: string, text: string, severity?: Severity): Trial => ({
    what,
    token: forged(text),
    ...(severity && { severity }),
  });
  const bytes = Buffer.from(signature, 'base64url');
  return [
    trial('alg none', unsigned({ ...header, alg: 'none' }, good)),
    trial('alg None', unsigned({ ...header, alg: 'None' }, good)),
    trial('no signature', `${head}.${payload}.`),
    trial('a signature cut short', `${head}.${payload}.${bytes.subarray(0, -1).toString('base64url')}`),
    trial('a signature of zeros', `${head}.${payload}.${Buffer.alloc(bytes.length).toString('base64url')}`),
    trial(
      'a byte behind the signature',
      `${head}.${payload}.${Buffer.concat([bytes, Buffer.of(0)]).toString('base64url')}`,
    ),
    trial(
      'the signature of another token',
      `${head}.${payload}.${(await signed({ ...good, jti: 'x' }, key)).split('.')[2]}`,
    ),
    trial('HS256 with the public key', hmacSigned({ ...header, alg: 'HS256' }, good, pem)),
    trial(
      'the signature of one, the claims of another',
      `${head}.${Buffer.from(JSON.stringify({ ...good, scope: 'admin' })).toString('base64url')}.${signature}`,
    ),
    trial(
      'an unknown critical extension',
      unsignedWith(await signed(good, otherKey, {}), {
        ...header,
        crit: ['x-portcullis'],
        'x-portcullis': 1,
      }),
    ),
    trial('four parts', `${token}.AAAA`),
    trial('five parts', `${head}.AAAA.AAAA.AAAA.AAAA`),
    trial('two parts', `${head}.${payload}`),
    trial('JSON serialization', JSON.stringify({ protected: head, payload, signature })),
    trial('a token of 64 kB', `${head}.${payload}${'A'.repeat(64 * 1024)}.${signature}`),
  ];
}

function unsignedWith(token: string, header: object): string {
  const [, payload = '', signature = ''] = token.split('.');
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`;
}

export function publicPart({ jwk }: OwnKey): Readonly<Record<string, unknown>> {
  return jwk as unknown as Readonly<Record<string, unknown>>;
}
