import { hash } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from 'jose';
import { type Clock, messageOf, type Refusal, refuse } from '../../base/index.ts';
import { BoundedMap } from '../bounded-map.ts';
import { readJwt } from '../jwt.ts';
import type { Nonces } from './nonces.ts';
import type { ReplayGuard } from './replay.ts';
import type { SharedReplay } from './shared-replay.ts';

/** Asymmetric alone (RFC 9449 section 11.6); what the clients in use sign with. */
export const dpopAlgorithms = ['ES256', 'ES384', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] as const;

/** A proof is good for this long after it was made, and this long before it for clocks that differ. */
const maxAgeSeconds = 60;
const skewSeconds = 30;
/** What a `ReplayGuard` has to remember. */
export const proofLifetimeMs = (maxAgeSeconds + skewSeconds) * 1000;

const maxProofLength = 8192;
const maxIdLength = 256;
/** A JWK of a key that we take fits; one that its sender has stuffed is not kept. */
const maxKeptLength = 1024;

export interface ProofContext {
  readonly token: string;
  /** `cnf.jkt` of the token. */
  readonly key: string;
  readonly httpMethod: string;
  /** The URL that clients type; never taken from the Host header. */
  readonly resource: string;
  readonly replay: ReplayGuard;
  /** What other machines have seen; null where there are none. */
  readonly shared: SharedReplay | null;
  /** Null where no nonce is asked for. */
  readonly nonces: Nonces | null;
  readonly keys: ProofKeys;
  readonly clock: Clock;
}

/** Keys that were imported before, by the text of their JWK: importing costs more than verifying. */
export type ProofKeys = BoundedMap<{ readonly thumbprint: string; readonly key: CryptoKey }>;

export function createProofKeys(): ProofKeys {
  return new BoundedMap(10_000);
}

/**
 * Checks a DPoP proof as RFC 9449 section 4.3 lists it, dearest last: the key is compared before anything is verified with it.
 *
 * @param proof attacker-controlled
 */
export async function checkProof(proof: string, context: ProofContext): Promise<Refusal | null> {
  const reading = proof.length <= maxProofLength ? readJwt(proof) : null;
  if (reading?.kind !== 'jwt') return invalid('the proof is no JWT');
  const { header, claims } = reading;
  const fault = claimFault(claims, context);
  if (fault !== null) return invalid(fault);
  const written = JSON.stringify([header['alg'], header['jwk']]);
  const known = context.keys.get(written);
  const wrong = known
    ? keyMismatch(known.thumbprint, context.key)
    : await keyFault(header['jwk'], context.key);
  if (wrong !== null) return wrong;
  try {
    const { key } = await jwtVerify(proof, known ? () => known.key : EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...dpopAlgorithms],
      currentDate: new Date(context.clock.now()),
      clockTolerance: skewSeconds,
    });
    if (!known && written.length <= maxKeptLength)
      context.keys.set(written, { thumbprint: context.key, key: key as CryptoKey });
  } catch (error) {
    return invalid(messageOf(error));
  }
  if (context.nonces !== null && !context.nonces.accepts(claims['nonce']))
    return refuse('proof_nonce', 'The proof of possession needs the nonce of this server');
  return replayed(`${context.key} ${String(claims['jti'])}`, context);
}

async function keyFault(jwk: unknown, expected: string): Promise<Refusal | null> {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return invalid('no jwk');
  const { kty, n, e } = jwk as JWK;
  // A large exponent or modulus makes a verification as dear as its sender likes.
  if (kty === 'RSA' && (String(n).length > 683 || String(e).length > 6)) return invalid('an outsize RSA key');
  try {
    return keyMismatch(await calculateJwkThumbprint(jwk as JWK), expected);
  } catch (error) {
    return invalid(messageOf(error));
  }
}

function keyMismatch(thumbprint: string, expected: string): Refusal | null {
  if (thumbprint === expected) return null;
  return refuse('token_binding', 'The access token is not valid here', {
    detail: 'the proof is by another key than the token is bound to',
  });
}

function claimFault(claims: Readonly<Record<string, unknown>>, context: ProofContext): string | null {
  const { jti, htm, htu, iat, ath } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > maxIdLength) return 'no usable jti';
  if (htm !== context.httpMethod) return 'htm is another method';
  if (!isSameUrl(htu, context.resource)) return 'htu is another URL';
  if (typeof iat !== 'number') return 'no iat';
  const age = context.clock.now() / 1000 - iat;
  if (!(age <= maxAgeSeconds && age >= -skewSeconds)) return 'iat is not of now';
  return ath === hash('sha256', context.token, 'base64url') ? null : 'ath is of another token';
}

/** RFC 9449 section 4.3: without query and fragment, after the normalization that every URL parser does. */
function isSameUrl(htu: unknown, resource: string): boolean {
  if (typeof htu !== 'string' || htu.length > 2048) return false;
  const url = URL.parse(htu);
  if (url === null) return false;
  url.search = '';
  url.hash = '';
  return url.href === new URL(resource).href;
}

async function replayed(proof: string, { replay, shared }: ProofContext): Promise<Refusal | null> {
  const verdict = replay.note(proof);
  if (verdict === 'first') return shared && seenElsewhere(proof, shared);
  if (verdict === 'seen') return invalid('the proof was used before');
  return refuse('limit_concurrency', 'Too many proofs of possession at the moment', {
    limit: { layer: 'proofs', retryAfterMs: proofLifetimeMs, limit: 0, remaining: 0 },
  });
}

/** Where nobody can say whether it was used, it counts as used: the proof is all that ties the token to its holder. */
async function seenElsewhere(proof: string, shared: SharedReplay): Promise<Refusal | null> {
  try {
    const isFirst = await shared.note(proof, proofLifetimeMs);
    return isFirst ? null : invalid('the proof was used before, at another gateway');
  } catch (error) {
    const detail = `proofs of possession cannot be compared: ${messageOf(error)}`;
    return refuse('proof_unavailable', 'The proof of possession cannot be checked at the moment', { detail });
  }
}

function invalid(detail: string): Refusal {
  return refuse('proof_invalid', 'The proof of possession is not valid', { detail });
}
