export {
  type CredentialAnswer,
  type CredentialsSwitch,
  createCredentialsSwitch,
  type NotConnected,
  type UpstreamCredentials,
} from './credentials.ts';
export { createExchange, type ExchangeOptions } from './exchange.ts';
export { createVault, type Opened, type Vault } from './vault.ts';
