export type {
  AuditCopyConfig,
  AuditorKey,
  AuthConfig,
  Config,
  EmbeddedAuthConfig,
  EnterpriseIssuerConfig,
  HostPolicy,
  HttpConfig,
  HttpUpstreamConfig,
  IdentityProviderConfig,
  IssuerConfig,
  LimitsConfig,
  MachinesConfig,
  PostgresConfig,
  RegisteredClientConfig,
  ServerConfig,
  SignInMethod,
  StdioUpstreamConfig,
  StoreDown,
  ToolRuleConfig,
  UpstreamConnectConfig,
  UpstreamExchangeConfig,
} from './config.ts';
export { dataHome, defaultDataDirectory } from './data-directory.ts';
export type { Environment } from './environment.ts';
export type { Explained } from './explain.ts';
export { configJsonSchema } from './json-schema.ts';
export {
  type AuditPlace,
  auditPlace,
  type InspectedConfig,
  inspectConfig,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  readEnvironment,
} from './load.ts';
export { type Layer, layers } from './observe.ts';
export { type CaseHint, caseHints, type PolicyCase, readPolicyCases } from './policy-cases.ts';
export { type ProtectOptions, protectConfig } from './protect.ts';
export { guessServerName } from './server-name.ts';
export { parseKeep } from './units.ts';
