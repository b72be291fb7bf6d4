export { applyClientRules } from './metadata.ts';
export { createFetchPolicy, guardedFetch, withoutRedirects } from './metadata-documents.ts';
export { type RedirectTarget, redirectSource, redirectTarget } from './redirect-policy.ts';
export { createRegistrationGate, type RegistrationGate } from './registration.ts';
