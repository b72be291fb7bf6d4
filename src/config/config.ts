import type { Secret } from '../base/index.ts';
import type { Thresholds } from '../detections/index.ts';
import type { RateLimit, ToolCapture, ToolLimit } from '../policy/index.ts';
import type { AlertsConfig } from './alerts.ts';
import type { Layer } from './observe.ts';
import type { TelemetryConfig } from './telemetry.ts';

/**
 * A configuration after reading, checking and resolving: complete, immutable, every default filled in.
 * Made by `load.ts` alone; everything else reads it.
 */
export interface Config {
  /** Origin that clients type, without a trailing slash: `https://mcp.example.com`. Never taken from a Host header. */
  readonly publicUrl: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Who issues the certificates of clients; null: they are not asked for. */
    readonly clientCaFile: string | null;
  } | null;
  /** CIDR blocks whose X-Forwarded-For / -Proto is believed. */
  readonly trustedProxies: readonly string[];
  /** Directory of the embedded store and the keys. Absolute. */
  readonly data: string;
  /** What gateways on several machines share; null: each machine is alone. */
  readonly redis: RedisConfig | null;
  /** Keeps the audit trail instead of `data`; null: it is in `data`. */
  readonly postgres: PostgresConfig | null;
  /** Controls that record what they would refuse, and refuse nothing. */
  readonly observe: readonly Layer[];
  readonly servers: readonly ServerConfig[];
  readonly auth: AuthConfig;
  /** Rules as written; null when the configuration has no `tools:`: then the built-in rules apply. */
  readonly tools: readonly ToolRuleConfig[] | null;
  /** Scopes for what is not a tool. */
  readonly resources: { readonly scope: string };
  readonly prompts: { readonly scope: string };
  readonly limits: LimitsConfig;
  readonly audit: AuditConfig;
  readonly pins: PinsConfig;
  readonly http: HttpConfig;
  /** Of every detection, by its key. */
  readonly detections: Thresholds;
  readonly alerts: AlertsConfig;
  readonly telemetry: TelemetryConfig;
}

export interface PostgresConfig {
  /** `postgres://user:password@host/database`, whole: it holds a password. */
  readonly url: Secret;
}

/** `block`: calls wait while the queue is full; `drop`: records are left out of the copy, and counted. */
export type AuditCopyConfig = {
  readonly overflow: 'drop' | 'block';
  readonly queueRecords: number;
} & (
  | {
      readonly kind: 'file';
      /** Absolute. */
      readonly file: string;
      readonly fsync: 'always' | 'never';
      readonly maxBytes: number;
      readonly maxAgeMs: number | null;
      readonly keepFiles: number | null;
    }
  | { readonly kind: 'stdout' }
  | {
      readonly kind: 'otlp';
      readonly url: string;
      readonly headers: Readonly<Record<string, Secret>>;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'webhook';
      readonly url: string;
      readonly secret: Secret;
      readonly headers: Readonly<Record<string, Secret>>;
      /** In one request, at most. */
      readonly records: number;
      readonly timeoutMs: number;
    }
);

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

export interface AuthConfig {
  /** Who may come without a token, and until when; null: nobody, which is how it should be. */
  readonly observe: {
    readonly until: string;
    readonly untilMs: number;
    readonly from: readonly string[];
  } | null;
  /** Of the credentials that people connected, newest first; 32 bytes in base64 each. Empty where nobody can connect. */
  readonly vaultKeys: readonly Secret[];
  /** Null when `issuers` replace it. */
  readonly embedded: EmbeddedAuthConfig | null;
  readonly issuers: readonly IssuerConfig[];
  /** A token that was revoked, by whatever process, works nowhere after this time. */
  readonly revocation: { readonly withinSeconds: number };
  /** Scopes named in the resource metadata: the baseline, or all for clients that cannot step up. */
  readonly scopesAdvertised: 'minimal' | 'all';
}

/** Host names, `*.example.com` for every host below one, or `*`. `deny` goes first. */
export interface HostPolicy {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface EmbeddedAuthConfig {
  readonly accessTokenMinutes: number;
  readonly refreshTokenDays: number;
  /** What the sign-in page offers. `passkey` only beside `password`. */
  readonly signIn: readonly SignInMethod[];
  /** `denyList`: absolute path of a file of passwords that nobody may choose. */
  readonly passwords: { readonly denyList: string | null };
  /** Not null where `signIn` has `oidc`. */
  readonly oidc: IdentityProviderConfig | null;
  /** Whether tokens are bound to a key of the client (RFC 9449). */
  readonly dpop: 'off' | 'allowed' | 'required';
  readonly clients: {
    readonly metadataDocuments: boolean | HostPolicy;
    /** Null: switched off. */
    readonly dynamicRegistration: {
      readonly maxPerHour: number;
      readonly maxPerHourAndAddress: number;
      readonly unusedDays: number;
    } | null;
    /** Without the colon: `cursor`. */
    readonly redirectSchemes: readonly string[];
  };
  readonly machines: MachinesConfig;
}

/** Clients that the operator registers, and who vouches for people at them. */
export interface MachinesConfig {
  readonly clients: readonly RegisteredClientConfig[];
  readonly enterprise: readonly EnterpriseIssuerConfig[];
}

export interface RegisteredClientConfig {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** At most one of these three is set; none for a client that cannot keep a secret. */
  readonly secret: Secret | null;
  /** Public keys. */
  readonly jwks: readonly Readonly<Record<string, unknown>>[] | null;
  readonly jwksUri: string | null;
  readonly grants: readonly ('authorization_code' | 'client_credentials' | 'jwt_bearer' | 'token_exchange')[];
  readonly redirectUris: readonly string[];
  /** The most that its tokens may hold, whoever they are for. */
  readonly scopes: readonly string[];
  /** Names of the servers that it gets tokens for; null: all. */
  readonly servers: readonly string[] | null;
  readonly organization: string;
}

/** An identity provider whose assertion grants (ID-JAG) stand for people. */
export interface EnterpriseIssuerConfig {
  readonly issuer: string;
  /** Where the keys are; null: read from the issuer's metadata. */
  readonly jwksUri: string | null;
  /** Exact; null: our issuer. */
  readonly audience: string | null;
  /** Registered clients that may present its assertions. */
  readonly clientIds: readonly string[];
  readonly algorithms: readonly string[];
  readonly claims: { readonly organization: string | null };
}

export type SignInMethod = 'password' | 'passkey' | 'oidc';

/** Where people sign in instead of here: an OpenID Connect provider. */
export interface IdentityProviderConfig {
  readonly issuer: string;
  /** For people. */
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Null: `openid profile`, and `offline_access` where the provider offers it. */
  readonly scopes: readonly string[] | null;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly claims: { readonly name: string; readonly groups: string; readonly organization: string | null };
  /** Members are administrators here; nobody when empty. */
  readonly adminGroups: readonly string[];
  /** Both must hold where both are given; null asks for nothing. */
  readonly allow: { readonly domains: readonly string[] | null; readonly groups: readonly string[] | null };
  /** How old the provider's word on an account may be before it is asked again. */
  readonly recheckMinutes: number;
}

export interface IssuerConfig {
  readonly issuer: string;
  /** Where the keys are; null: read from the issuer's metadata. */
  readonly jwksUri: string | null;
  /** Exact strings; never empty. Null only where `clientIds` is not: a weaker binding. */
  readonly audience: readonly string[] | null;
  readonly audienceClaim: string;
  /** Whether every audience of a token must be ours. */
  readonly exclusiveAudience: boolean;
  /** Clients whose tokens are accepted; null: anyone's. */
  readonly clientIds: readonly string[] | null;
  readonly algorithms: readonly string[];
  /** Accepted `typ` headers, lower-case, without `application/`; `jwt` covers issuers that mint plain JWTs. */
  readonly typ: readonly string[];
  readonly verify: 'jwt' | 'introspection' | 'both';
  /** Null where `verify` is `jwt`. */
  readonly introspection: IntrospectionConfig | null;
  readonly claims: {
    readonly scopes: readonly string[];
    readonly subject: string;
    /** Null: `client_id`, else `azp`. */
    readonly client: string | null;
    readonly organization: string | null;
  };
  /** Claims that must hold a value. */
  readonly required: Readonly<Record<string, string>>;
}

export interface IntrospectionConfig {
  /** Null: read from the issuer's metadata. */
  readonly endpoint: string | null;
  readonly clientId: string;
  /** One of the two is set. */
  readonly clientSecret: Secret | null;
  /** PEM or JWK. */
  readonly privateKey: Secret | null;
  /** Whether tokens that are no JWT are of this issuer; true for one at most. */
  readonly takesOpaque: boolean;
}

export interface ToolRuleConfig {
  /** Glob on the tool's name. */
  readonly match: string;
  readonly server: string | null;
  readonly hint: 'readOnly' | 'destructive' | null;
  /** CEL expression on the call; it compiles. */
  readonly when: string | null;
  readonly scope: string | null;
  readonly limit: ToolLimit | null;
  readonly confirm: 'self' | 'other' | null;
  readonly show: 'open' | 'locked' | 'hidden' | null;
  readonly capture: ToolCapture | null;
  /** Where it stands, for messages and records: `tools[2]`. */
  readonly source: string;
}

export interface LimitsConfig {
  /** Of one caller; all of them hold. Empty: not limited. */
  readonly client: readonly RateLimit[];
  readonly organization: readonly RateLimit[];
  /** Requests per address before the caller is known. */
  readonly address: RateLimit;
  /** Failed authentications per address. */
  readonly addressFailures: RateLimit;
  /** At once. `streams`: those of one caller that stay open. */
  readonly concurrent: { readonly client: number; readonly upstream: number; readonly streams: number };
  /** The same call again and again; null: not looked for. */
  readonly loop: { readonly identical: number; readonly withinMs: number } | null;
  /** What happens to calls while the shared counters cannot be reached. */
  readonly whenStoreIsDown: { readonly destructive: StoreDown; readonly others: StoreDown };
}

/** Refuse, or count in this process alone. */
export type StoreDown = 'closed' | 'local';

export interface RedisConfig {
  /** `redis://…` or `rediss://…`. */
  readonly url: Secret;
  /** Begins every key. */
  readonly prefix: string;
  readonly cluster: boolean;
  /** The most that a call waits for an answer. */
  readonly commandTimeoutMs: number;
  /** Calls that a gateway may take at once of a counter; null: each call asks. */
  readonly leases: { readonly most: number } | null;
}

export interface PinsConfig {
  /** `strict`: every change of a definition keeps its tool back. */
  readonly changes: 'graded' | 'strict';
  /** Absolute path of the file of reviewed definitions; null: the first contact is trusted. */
  readonly lock: string | null;
}

/** A public key for ECDH-ES (RFC 7518 section 6.2, RFC 8037). */
export interface AuditorKey {
  readonly kty: 'EC' | 'OKP';
  readonly crv: string;
  readonly x: string;
  readonly y?: string;
}

export interface AuditConfig {
  /** Whether a call waits until its intent is on disk. */
  readonly durability: 'strict' | 'batched';
  /** Calls that do not destroy, while the store fails; those that do are refused. */
  readonly whenStoreIsDown: { readonly others: 'closed' | 'memory' };
  readonly argumentsHash: 'hmac-sha256' | 'sha256';
  /** Arguments are encrypted to it (public JWK); null: none are. */
  readonly auditorKey: AuditorKey | null;
  /** How long entries are kept, as written and in milliseconds; null: for good. */
  readonly keep: { readonly text: string; readonly ms: number } | null;
  /** Places that get copies. */
  readonly also: readonly AuditCopyConfig[];
  readonly checkpoints: {
    readonly everySeconds: number;
    readonly everyRecords: number;
    /** Where they are kept beside the data directory. Absolute. */
    readonly file: string | null;
  };
}

export interface HttpConfig {
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  readonly keepAliveSeconds: number;
  /** Origins of web pages that may call, beyond the public origin itself. Exact. */
  readonly allowedOrigins: readonly string[];
  /** Time that running calls get at shutdown. */
  readonly drainSeconds: number;
}
