import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JSONWebKeySet } from 'jose';
import type { UpstreamCredentials } from '../upstream/index.ts';

/** The embedded authorization server, as the gateway sees it. */
export interface AuthorizationServer {
  /** Exact issuer: the public origin + `/oauth`. */
  readonly issuer: string;
  /** True if the path is one of ours: below `/oauth`, one of the well-known metadata forms, `/setup`, `/account`. */
  owns(path: string): boolean;
  /**
   * Answers a request that `owns` claimed. The Host header is not believed: URLs come from the configured public origin.
   * Never rejects for what a client sent.
   */
  handle(req: IncomingMessage, res: ServerResponse, context: { readonly address: string }): Promise<void>;
  /** Public keys for verifying its access tokens in this process, current one first. */
  keys(): JSONWebKeySet;
  /** Whether an access token has been revoked, by `jti` or by the grant it came from. Synchronous: on the hot path. */
  isRevoked(token: {
    readonly jti: string;
    readonly grantId: string | null;
    readonly clientId: string;
    readonly subject: string;
  }): boolean;
  /** One-time link on which the first administrator sets a password; null when there is one already. */
  setupUrl(): string | null;
  /** Calls `listener` at every revocation, so that caches are purged and streams ended. */
  onRevoked(listener: () => void): void;
  /** A call with a token of this grant was refused for want of a scope: its next refresh is asked to step up. */
  expectStepUp(grantId: string): void;
  /** What people connected at the upstreams' own providers; null where no server asks for it. */
  readonly credentials: UpstreamCredentials | null;
  close(): Promise<void>;
}

/** A resource (MCP server) that tokens can be issued for. */
export interface ProtectedResource {
  /** The URL that clients type, character for character: the token's `aud`. */
  readonly resource: string;
  readonly name: string;
}

export interface ScopeDescription {
  readonly scope: string;
  /** For the consent page, in words: "Call tools that change things". */
  readonly description: string;
}
