import { type Clock, isRefusal, type Refusal, refuse, sha256Hex } from '../base/index.ts';
import { BoundedMap } from './bounded-map.ts';
import { maxTokenLength } from './credentials.ts';
import { readJwt } from './jwt.ts';
import { bareToken, bearerOnly, type Possession, type Presentation } from './possession/possession.ts';
import type { Principal } from './principal.ts';
import type { VerifiedToken, Verifier } from './verifier.ts';

/** Turns tokens into principals. One for each MCP server: the audience is part of it. */
export interface Authenticator {
  /**
   * @param token attacker-controlled
   * @param presentation how it came; what is bound is refused unless it says so
   */
  authenticate(token: string, presentation?: Presentation): Promise<Principal | Refusal>;
  /** Whether the token that a principal was read from has been revoked since. */
  isRevoked(principal: Principal): boolean;
  /** Asks the issuer, where it can be asked. For streams that are open: a request is checked anyway. */
  isWithdrawn(principal: Principal): Promise<boolean>;
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
  'token_revoked',
  'token_claims',
]);

interface Cached {
  readonly verifier: Verifier;
  readonly verified: VerifiedToken;
  /** Monotonic, from before the issuer was asked. */
  readonly askedAt: number;
}

export function createAuthenticator(
  verifiers: readonly Verifier[],
  clock: Clock,
  possession: Possession = bearerOnly,
): Authenticator {
  const byIssuer = new Map(verifiers.map((verifier) => [verifier.issuer, verifier]));
  const opaque = verifiers.find(({ takesOpaque }) => takesOpaque) ?? null;
  const known = new BoundedMap<Cached>(maxVerified);
  const rejected = new BoundedMap<{ refusal: Refusal; until: number }>(maxRejected);
  /** Several requests with one new token verify it once. */
  const running = new Map<string, Promise<VerifiedToken | Refusal>>();

  async function verify(token: string, key: string): Promise<VerifiedToken | Refusal> {
    const askedAt = clock.monotonic();
    const verifier = verifierFor(token, byIssuer, opaque);
    const result = isRefusal(verifier) ? verifier : await verifier.verify(token);
    if (isRefusal(result)) {
      if (lasting.has(result.code))
        rejected.set(key, { refusal: result, until: clock.now() + rejectedForMs });
      return result;
    }
    if (!isRefusal(verifier)) known.set(key, { verifier, verified: result, askedAt });
    return result;
  }

  async function verified(token: string): Promise<VerifiedToken | Refusal> {
    // Keyed by digest: no token stays in memory (and a digest is as fast a key).
    const key = sha256Hex(token);
    const cached = known.get(key);
    if (cached && isCurrent(cached, clock)) {
      if (!cached.verifier.isRevoked(cached.verified.principal)) return cached.verified;
      known.delete(key);
      return refuse('token_revoked', 'The access token is no longer valid');
    }
    if (cached) known.delete(key);
    const bad = rejected.get(key);
    if (bad && bad.until > clock.now()) return bad.refusal;
    let pending = running.get(key);
    if (!pending) {
      pending = verify(token, key).finally(() => running.delete(key));
      running.set(key, pending);
    }
    return pending;
  }

  return {
    async authenticate(token, presentation = bareToken) {
      if (token.length > maxTokenLength) return malformed('longer than any access token');
      const result = await verified(token);
      if (isRefusal(result)) return result;
      // After the cache: a proof is for one request, whoever holds the token.
      return (await possession(token, result.confirmation, presentation)) ?? result.principal;
    },
    isRevoked: (principal) => byIssuer.get(principal.issuer)?.isRevoked(principal) ?? true,
    isWithdrawn: async (principal) =>
      (await byIssuer.get(principal.issuer)?.isWithdrawn?.(principal)) ?? false,
    purge: () => known.clear(),
  };
}

/** Past its expiry a token is verified at each use: its verifier knows how far clocks may differ. */
function isCurrent({ verifier, verified, askedAt }: Cached, clock: Clock): boolean {
  if (verified.principal.expiresAt * 1000 <= clock.now()) return false;
  return verifier.maxAgeMs === undefined || clock.monotonic() - askedAt < verifier.maxAgeMs;
}

/** Picks the verifier by the unverified `iss`: nothing else of the token is believed before its issuer vouches for it. */
function verifierFor(
  token: string,
  byIssuer: ReadonlyMap<string, Verifier>,
  opaque: Verifier | null,
): Verifier | Refusal {
  const reading = readJwt(token);
  if (reading.kind === 'ambiguous') return malformed(reading.detail);
  if (reading.kind === 'opaque') return opaque ?? malformed('not a JWT');
  const { iss } = reading.claims;
  const verifier = typeof iss === 'string' ? byIssuer.get(iss) : undefined;
  return (
    verifier ?? refuse('token_issuer', 'The access token is not valid', { detail: 'iss is not configured' })
  );
}

function malformed(detail: string): Refusal {
  return refuse('token_malformed', 'The access token is not valid', { detail });
}
