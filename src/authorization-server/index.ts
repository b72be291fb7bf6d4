export { type Account, type Accounts, openAccounts, type Role } from './accounts/index.ts';
export type { AuthorizationServer, ProtectedResource, ScopeDescription } from './authorization-server.ts';
export { type Denials, openDenials } from './denials.ts';
export type { GrantedAccess, GrantStore } from './granted-access.ts';
export { type GrantsAdmin, openGrants } from './grants-admin.ts';
export { type AuthorizationServerOptions, grantClaim, issuerPath, organizationClaim } from './options.ts';
export { createAuthorizationServer } from './server.ts';
export { type SharedDenials, shareDenials } from './shared-denials.ts';
