export { createConnectPage } from './connect-page.ts';
export {
  type Connections,
  type ConnectionsOptions,
  connectPath,
  createConnections,
} from './connections.ts';
export { createCredentials } from './credentials.ts';
export type { UpstreamTokens } from './provider.ts';
