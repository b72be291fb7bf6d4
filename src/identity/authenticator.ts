import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type Clock, isRefusal, type Refusal, refuse, sha256Hex } from '../base/index.ts';
import { BoundedMap } from './bounded-map.ts';
import type { Principal } from './principal.ts';
import type { Verifier } from './verifier.ts';

/** Turns bearer tokens into principals. One for each MCP server: the audience is part of it. */
export interface Authenticator {
  /** @param token attacker-controlled */
  authenticate(token: string): Promise<Principal | Refusal>;
  /** Whether the token that a principal was read from has been revoked since. */
  isRevoked(principal: Principal): boolean;
  /** Forgets all verified tokens, so that the next use of each asks its verifier again. */
  purge(): void;
}

const maxVerified = 50_000;
const maxRejected = 10_000;
/** A bad token costs a signature check once in this time, however often it comes. */
const rejectedForMs = 10_000;
/** Refusals that stay true however often one asks again within `rejectedForMs`. */
const lasting: ReadonlySet<string> = new Set([
  'token_malformed',
  'token_signature',
  'token_expired',
  'token_issuer',
  'token_audience',
  'token_type',
  'token_claims',
]);

interface Cached {
  readonly verifier: Verifier;
  readonly principal: Principal;
}

export function createAuthenticator(verifiers: readonly Verifier[], clock: Clock): Authenticator {
  const byIssuer = new Map(verifiers.map((verifier) => [verifier.issuer, verifier]));
  const verified = new BoundedMap<Cached>(maxVerified);
  const rejected = new BoundedMap<{ refusal: Refusal; until: number }>(maxRejected);
  /** Several requests with one new token verify it once. */
  const running = new Map<string, Promise<Principal | Refusal>>();

  async function verify(token: string, key: string): Promise<Principal | Refusal> {
    const verifier = verifierFor(token, byIssuer);
    const result = isRefusal(verifier) ? verifier : await verifier.verify(token);
    if (isRefusal(result)) {
      if (lasting.has(result.code))
        rejected.set(key, { refusal: result, until: clock.now() + rejectedForMs });
      return result;
    }
    if (!isRefusal(verifier)) verified.set(key, { verifier, principal: result });
    return result;
  }

  return {
    async authenticate(token) {
      // Keyed by digest: no token stays in memory (and a digest is as fast a key).
      const key = sha256Hex(token);
      const known = verified.get(key);
      if (known && isCurrent(known, clock.now())) {
        if (!known.verifier.isRevoked(known.principal)) return known.principal;
        verified.delete(key);
        return refuse('token_revoked', 'The access token is no longer valid');
      }
      if (known) verified.delete(key);
      const bad = rejected.get(key);
      if (bad && bad.until > clock.now()) return bad.refusal;
      let pending = running.get(key);
      if (!pending) {
        pending = verify(token, key).finally(() => running.delete(key));
        running.set(key, pending);
      }
      return pending;
    },
    isRevoked: (principal) => byIssuer.get(principal.issuer)?.isRevoked(principal) ?? true,
    purge: () => verified.clear(),
  };
}

/** Past its expiry a token is verified at each use: its verifier knows how far clocks may differ. */
function isCurrent({ principal }: Cached, now: number): boolean {
  return principal.expiresAt * 1000 > now;
}

/** Picks the verifier by the unverified `iss`: nothing else of the token is believed before its signature is. */
function verifierFor(token: string, byIssuer: ReadonlyMap<string, Verifier>): Verifier | Refusal {
  try {
    decodeProtectedHeader(token);
    const issuer = decodeJwt(token).iss;
    const verifier = typeof issuer === 'string' ? byIssuer.get(issuer) : undefined;
    return (
      verifier ?? refuse('token_issuer', 'The access token is not valid', { detail: 'iss is not configured' })
    );
  } catch {
    return refuse('token_malformed', 'The access token is not valid', { detail: 'not a JWT' });
  }
}
