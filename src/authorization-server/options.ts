import type { AuditEvent } from '../audit/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { EmbeddedAuthConfig } from '../config/index.ts';
import type { ProtectedResource, ScopeDescription } from './authorization-server.ts';
import type { ConnectionsOptions } from './connections/index.ts';

export interface AuthorizationServerOptions {
  /** Origin, without a trailing slash: `http://127.0.0.1:4180` or `https://…`. */
  readonly publicUrl: string;
  /** The MCP servers that tokens are issued for. */
  readonly resources: readonly ProtectedResource[];
  /** Every scope that can be asked for, of all servers. */
  readonly scopes: readonly ScopeDescription[];
  /** What a client that names no scope gets. */
  readonly baseline: readonly string[];
  /** What a user of each role may grant at most. */
  readonly scopesForRole: { readonly admin: readonly string[]; readonly user: readonly string[] };
  readonly config: EmbeddedAuthConfig;
  /** Directory of `authorization.db` and `authorization-keys.json`; made with mode 0700 if missing. */
  readonly dataDir: string;
  /** Servers where people use accounts of their own. Absent: none. */
  readonly connections?: ConnectionsOptions;
  /** What another process on this data directory revoked is known here within this time. 5 by default. */
  readonly revokedWithinSeconds?: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: (event: AuditEvent) => void;
  /** Fetches client metadata documents and the key sets they name, instead of the guarded way out. For tests. */
  readonly cimdFetch?: typeof fetch;
}

/** Refresh tokens that come twice within this time are taken for one client's concurrent requests. */
export const refreshGraceSeconds = 10;

/** A grant ends this long after the consent, however often it is refreshed. */
export const grantDays = 365;

/** How long a person's sign-in lasts in the browser. */
export const sessionHours = 12;

/** How long a started authorization request waits for the person. */
export const interactionSeconds = 600;

/** Path prefix of the issuer. */
export const issuerPath = '/oauth';

/** Claim of our access tokens that names the grant they come from: what is revoked as one. */
export const grantClaim = 'grant_id';

/** Claim of our access tokens that names the organization. There is one so far: `default`. */
export const organizationClaim = 'org';
