import type { Secret } from '../base/index.ts';
import type { Thresholds } from '../detections/index.ts';
import type { RateLimit, ToolCapture, ToolLimit } from '../policy/index.ts';
import type { AlertsConfig } from './alerts.ts';
import type { AuditConfig } from './audit-config.ts';
import type { AuthConfig } from './auth-config.ts';
import type { Layer } from './observe.ts';
import type { ServerConfig } from './server-config.ts';
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

export interface HttpConfig {
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  readonly keepAliveSeconds: number;
  /** Origins of web pages that may call, beyond the public origin itself. Exact. */
  readonly allowedOrigins: readonly string[];
  /** Time that running calls get at shutdown. */
  readonly drainSeconds: number;
}
