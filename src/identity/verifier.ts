import type { Refusal } from '../base/index.ts';
import type { Confirmation } from './confirmation.ts';
import type { Principal } from './principal.ts';

/** What a good token says. It is worth nothing to a caller who cannot show what `confirmation` asks for. */
export interface VerifiedToken {
  readonly principal: Principal;
  /** Null for a bearer token. */
  readonly confirmation: Confirmation | null;
}

/** Says who a token of one issuer stands for. One implementation a way of verifying: `verifiers/`. */
export interface Verifier {
  /** Exact `iss` of the tokens that it takes. */
  readonly issuer: string;
  /** Takes what is no JWT, too. At most one verifier of a server does. */
  readonly takesOpaque?: boolean;
  /** How long an answer may be believed; until the token expires where it says nothing. */
  readonly maxAgeMs?: number;
  /**
   * @param token attacker-controlled
   * @returns what it says, or why not. MUST NOT accept what it cannot verify now (`issuer_unavailable`).
   */
  verify(token: string): Promise<VerifiedToken | Refusal>;
  /** Asked at every use of a cached token; synchronous and cheap. */
  isRevoked(principal: Principal): boolean;
  /**
   * For streams that are open: asks the issuer whether the token that the principal was read from is still good. False also
   * where nobody can say. Absent where `isRevoked` knows all that can be known.
   */
  isWithdrawn?(principal: Principal): Promise<boolean>;
}
