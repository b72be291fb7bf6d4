export { type Authenticator, createAuthenticator } from './authenticator.ts';
export { bearerToken } from './bearer.ts';
export { type Challenge, formatChallenge } from './challenge.ts';
export { type ClaimRules, matchingAudience } from './claims.ts';
export { IssuerKeys } from './issuer-keys.ts';
export type { Principal } from './principal.ts';
export {
  type ResourceMetadata,
  resourceMetadata,
  resourceMetadataUrl,
  wellKnownResourcePath,
} from './resource-metadata.ts';
export type { Verifier } from './verifier.ts';
export { createJwksVerifier, IssuerUnavailable } from './verifiers/jwks.ts';
