import type { Secret } from '../base/index.ts';

export interface ServerConfig {
  /** `[a-z0-9-]+`, unique. */
  readonly name: string;
  /** Path of the MCP endpoint, unique: `/mcp`. */
  readonly path: string;
  /** publicUrl + path: the OAuth resource. */
  readonly resource: string;
  /** Tokens bound to a key of the client (RFC 9449). */
  readonly dpop: 'off' | 'allowed' | 'required';
  /** Whether proofs must hold a nonce of ours. */
  readonly dpopNonce: boolean;
  readonly staticKeys: readonly StaticKeyConfig[];
  /** Whether arguments must fit the tool's own input schema. */
  readonly validateArguments: boolean;
  readonly upstream: StdioUpstreamConfig | HttpUpstreamConfig;
}

export interface StdioUpstreamConfig {
  readonly kind: 'stdio';
  /** Program and arguments; never run through a shell. */
  readonly command: readonly [string, ...string[]];
  /** Added to the allow-listed environment. */
  readonly env: Readonly<Record<string, Secret>>;
  readonly cwd: string | null;
  readonly isolation: 'shared' | 'principal';
  /** Era of the child, or `auto`: ask it. */
  readonly protocol: 'auto' | 'modern' | 'legacy';
  readonly requestTimeoutMs: number;
}

export interface HttpUpstreamConfig {
  readonly kind: 'http';
  readonly url: string;
  /** Added to each request, such as an API key of the upstream. */
  readonly headers: Readonly<Record<string, Secret>>;
  /** A signed statement of who calls, with each request. `header` in lower case; audience null: the URL as written. */
  readonly assertion?: { readonly header: string; readonly audience: string | null } | null;
  /** People's own credentials there, instead of `headers`. */
  readonly connect?: UpstreamConnectConfig | null;
  /** The same by token exchange. */
  readonly exchange?: UpstreamExchangeConfig | null;
  /** Time to the first byte of an answer. */
  readonly requestTimeoutMs: number;
  readonly connections: number;
}

/** Where people connect their own account at the upstream: an OAuth provider that we are a client of. */
export interface UpstreamConnectConfig {
  /** Its metadata is read unless both endpoints are given. One of the two ways is always there. */
  readonly issuer: string | null;
  readonly endpoints: { readonly authorization: string; readonly token: string } | null;
  readonly clientId: string;
  /** Null: a public client. */
  readonly clientSecret: Secret | null;
  readonly scopes: readonly string[];
  /** RFC 8707; null: not sent. */
  readonly resource: string | null;
}

/** Where a token for each caller is had by token exchange (RFC 8693). */
export interface UpstreamExchangeConfig {
  /** Its metadata is read unless the endpoint is given. One of the two is always there. */
  readonly issuer: string | null;
  readonly tokenEndpoint: string | null;
  readonly clientId: string;
  /** One of the two is always there. */
  readonly clientSecret: Secret | null;
  readonly privateKey: Secret | null;
  /** `caller`: the token that `issuer` itself made; it is then always given. */
  readonly subject: 'assertion' | 'caller';
  readonly audience: string | null;
  /** RFC 8707; null: not sent. */
  readonly resource: string | null;
  readonly scopes: readonly string[];
}

/** The key of before, beside OAuth, until a day. */
export interface StaticKeyConfig {
  readonly name: string;
  readonly key: Secret;
  /** `2026-12-31`: refused from the beginning of that day on, in UTC. */
  readonly until: string;
  readonly untilMs: number;
  readonly scopes: readonly string[];
  readonly organization: string | null;
  /** Lower case; null: `Authorization: Bearer`. */
  readonly header: string | null;
}
