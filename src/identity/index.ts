export { type Authenticator, createAuthenticator } from './authenticator.ts';
export { BoundedMap } from './bounded-map.ts';
export { type Challenge, formatChallenge } from './challenge.ts';
export { type ClaimRules, matchingAudience, verifiedToken } from './claims.ts';
export type { Confirmation } from './confirmation.ts';
export { type Credentials, readCredentials } from './credentials.ts';
export { type ClientCredentials, clientAuthentication } from './introspection/client-credentials.ts';
export { type Introspected, Introspector } from './introspection/introspector.ts';
export { IssuerKeys } from './issuer-keys.ts';
export { dpopAlgorithms, proofLifetimeMs } from './possession/dpop.ts';
export { createNonces, type Nonces } from './possession/nonces.ts';
export {
  createPossession,
  type DpopMode,
  type Possession,
  type Presentation,
} from './possession/possession.ts';
export { ReplayGuard } from './possession/replay.ts';
export { type SharedReplay, sharedReplay } from './possession/shared-replay.ts';
export type { Principal } from './principal.ts';
export {
  type ResourceMetadata,
  resourceMetadata,
  resourceMetadataUrl,
  wellKnownResourcePath,
} from './resource-metadata.ts';
export {
  anonymousIssuer,
  anonymousPrincipal,
  createStaticKeys,
  type StaticKeys,
  staticKeyIssuer,
} from './static-keys.ts';
export type { VerifiedToken, Verifier } from './verifier.ts';
export { createIntrospectionVerifier } from './verifiers/introspection.ts';
export { createJwksVerifier, IssuerUnavailable } from './verifiers/jwks.ts';
