/**
 * The helpers that oidc-provider's own grants are made of, and which its types leave out. The version is pinned exactly;
 * test/authorization-server/machines.test.ts holds what we rely on.
 */
declare module 'oidc-provider/lib/helpers/grants.js' {
  import type Provider from 'oidc-provider';
  import type { KoaContextWithOIDC } from 'oidc-provider';

  export interface ProofOfPossession {
    readonly jti: string;
    readonly thumbprint: string;
  }

  /** RFC 9449 section 5: the proof of the request, checked; undefined if there is none. */
  export function validateDpop(
    provider: Provider,
    ctx: KoaContextWithOIDC,
  ): Promise<ProofOfPossession | undefined>;
  /** Throws InvalidGrant for a proof that was used before. */
  export function checkDpopReplay(
    provider: Provider,
    ctx: KoaContextWithOIDC,
    proof: ProofOfPossession | undefined,
    clientId: string,
  ): Promise<void>;
  /** Throws InvalidGrant for a client whose tokens must be bound. */
  export function checkDpopRequired(
    provider: Provider,
    ctx: KoaContextWithOIDC,
    proof: ProofOfPossession | undefined,
  ): void;
}
