export type { AuthorizationServer, ProtectedResource, ScopeDescription } from './authorization-server.ts';
