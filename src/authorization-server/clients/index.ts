export {
  acceptAssertionAudiences,
  compareHashedSecrets,
  createAssertionRules,
  isSelfRegistered,
} from './authentication.ts';
export { registeredClientId } from './client-id.ts';
export {
  type ConfiguredClients,
  createConfiguredClients,
  fetchingKeySets,
  grantsSupported,
  jwtBearerGrant,
  tokenExchangeGrant,
} from './configured.ts';
export { rememberingFetch } from './document-cache.ts';
export { isTrustedHost } from './host-policy.ts';
export { applyClientRules } from './metadata.ts';
export { createFetchPolicy, guardedFetch, withoutRedirects } from './metadata-documents.ts';
export { areAllLoopback, type RedirectTarget, redirectSource, redirectTarget } from './redirect-policy.ts';
export { createRegistrationGate, type RegistrationGate } from './registration.ts';
