export type { AuditCopyConfig, AuditorKey } from './audit-config.ts';
export type {
  AuthConfig,
  EmbeddedAuthConfig,
  EnterpriseIssuerConfig,
  HostPolicy,
  IdentityProviderConfig,
  IssuerConfig,
  MachinesConfig,
  RegisteredClientConfig,
  SignInMethod,
} from './auth-config.ts';
export type {
  Config,
  HttpConfig,
  LimitsConfig,
  PostgresConfig,
  StoreDown,
  ToolRuleConfig,
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
export type {
  HttpUpstreamConfig,
  ServerConfig,
  StdioUpstreamConfig,
  UpstreamConnectConfig,
  UpstreamExchangeConfig,
} from './server-config.ts';
export { guessServerName } from './server-name.ts';
export { parseKeep } from './units.ts';
