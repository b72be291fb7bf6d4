export { enterClientCredentials } from './client-credentials.ts';
export { createEnterpriseAccounts, type EnterpriseAccounts } from './enterprise-accounts.ts';
export { type GrantParts, registerGrants } from './grants.ts';
export { claimsOfGrant } from './issue.ts';
