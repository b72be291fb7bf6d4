import { createECDH, createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import type { Clock } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';

/** Where upstreams find the keys, below the public URL. */
export const assertionKeysPath = '/.well-known/portcullis/jwks.json';

/** Header type of our assertions: none of them can be taken for an access token (RFC 8725 section 3.11). */
export const assertionType = 'portcullis-assertion+jwt';

/** Long enough for clocks that differ a little and a call that waits; a copy is worthless soon. */
const lifeSeconds = 60;
const rotationMs = 90 * 24 * 3_600_000;

/** Tells an upstream, verifiably, on whose behalf the gateway calls. Never contains the caller's token. */
export interface AssertionSigner {
  /**
   * A compact JWS, ES256. For the gateway's own calls (`principal` null) the subject is the gateway itself.
   * Synchronous, because it is on the way of every call: see bench/assertion.ts.
   */
  sign(call: AssertedCall): string;
  /** RFC 7517: the key in use, the one before and the one that comes next. The same object until they change. */
  publicKeys(): JSONWebKeySet;
}

export interface AssertedCall {
  /** Exact string that the upstream compares. */
  readonly audience: string;
  /** Becomes `jti`: joins the upstream's log with the gateway's record. */
  readonly requestId: string;
  readonly principal: Principal | null;
}

export interface AssertionOptions {
  /** The public URL. */
  readonly issuer: string;
  readonly clock: Clock;
  /** 32 secret bytes for a purpose, the same in every process on the same data. */
  readonly derive: (purpose: string) => Uint8Array;
}

interface SigningKey {
  /** Which 90 days it is for. */
  readonly period: number;
  readonly privateKey: KeyObject;
  readonly publicJwk: JWK;
  /** The encoded JOSE header, with its dot. */
  readonly head: string;
}

/** Keys follow from the master key and the date, so that replicas agree and a change of key is published long before. */
export function createAssertionSigner(options: AssertionOptions): AssertionSigner {
  const { clock } = options;
  let keys = keysAt(Math.floor(clock.now() / rotationMs), options);
  const current = () => {
    const period = Math.floor(clock.now() / rotationMs);
    if (period !== keys.current.period) keys = keysAt(period, options);
    return keys;
  };
  return {
    sign(call) {
      const { head, privateKey } = current().current;
      const content = head + encode(claimsOf(call, options.issuer, Math.floor(clock.now() / 1000)));
      const signature = sign('sha256', Buffer.from(content), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${content}.${signature.toString('base64url')}`;
    },
    publicKeys: () => current().published,
  };
}

function claimsOf({ audience, requestId, principal }: AssertedCall, issuer: string, now: number): object {
  const times = { jti: requestId, iat: now, exp: now + lifeSeconds };
  if (principal === null) return { iss: issuer, aud: audience, sub: issuer, ...times };
  const { subject, clientId, organization, scopes, actors } = principal;
  return {
    iss: issuer,
    aud: audience,
    sub: subject,
    // A subject is unique at its issuer alone (RFC 9493 section 3.2.3).
    sub_id: { format: 'iss_sub', iss: principal.issuer, sub: subject },
    client_id: clientId,
    org: organization,
    scope: scopes.join(' '),
    ...(actors.length > 0 && { act: chained(actors) }),
    ...times,
  };
}

/** RFC 8693 section 4.1: the nearest outside, who acted before it inside. */
function chained([sub, ...before]: readonly string[]): object {
  return before.length === 0 ? { sub } : { sub, act: chained(before) };
}

function keysAt(period: number, options: AssertionOptions) {
  const [before, current, next] = [period - 1, period, period + 1].map((each) => signingKey(each, options));
  if (!before || !current || !next) throw new Error('there is no key for assertions');
  return { current, published: { keys: [current, next, before].map(({ publicJwk }) => publicJwk) } };
}

function signingKey(period: number, { derive }: AssertionOptions): SigningKey {
  const ecdh = createECDH('prime256v1');
  const scalar = setScalar(ecdh, (attempt) => derive(`upstream assertions ${period} ${attempt}`));
  const point = ecdh.getPublicKey();
  const jwk = {
    crv: 'P-256',
    kty: 'EC',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33, 65).toString('base64url'),
  };
  // RFC 7638: the members in this order, without white space.
  const kid = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
  const d = Buffer.from(scalar).toString('base64url');
  return {
    period,
    privateKey: createPrivateKey({ key: { ...jwk, d }, format: 'jwk' }),
    publicJwk: { ...jwk, kid, use: 'sig', alg: 'ES256' },
    head: `${encode({ alg: 'ES256', typ: assertionType, kid })}.`,
  };
}

/** About one in 2³² values is no scalar of the curve: then the next one. */
function setScalar(ecdh: ReturnType<typeof createECDH>, bytes: (attempt: number) => Uint8Array): Uint8Array {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const scalar = bytes(attempt);
    try {
      ecdh.setPrivateKey(scalar);
      return scalar;
    } catch {
      // Out of range.
    }
  }
  throw new Error('no key can be derived');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
