export type {
  AuthConfig,
  Config,
  EmbeddedAuthConfig,
  HttpConfig,
  HttpUpstreamConfig,
  IssuerConfig,
  LimitsConfig,
  ServerConfig,
  StdioUpstreamConfig,
  ToolRuleConfig,
} from './config.ts';
