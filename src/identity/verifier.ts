import type { Refusal } from '../base/index.ts';
import type { Principal } from './principal.ts';

/** Says who a token of one issuer stands for. One implementation a way of verifying: `verifiers/`. */
export interface Verifier {
  /** Exact `iss` of the tokens that it takes. */
  readonly issuer: string;
  /**
   * @param token attacker-controlled
   * @returns the principal, or why not. MUST NOT accept what it cannot verify now (`issuer_unavailable`).
   */
  verify(token: string): Promise<Principal | Refusal>;
  /** Asked at every use of a cached token; synchronous and cheap. */
  isRevoked(principal: Principal): boolean;
}
