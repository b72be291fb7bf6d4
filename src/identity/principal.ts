/**
 * Who calls, read from a verified token and from nothing else.
 */
export interface Principal {
  /** The token's `iss`, exactly. */
  readonly issuer: string;
  /** The token's `sub`; for a machine the client id. */
  readonly subject: string;
  /** The token's `client_id` (or `azp`); empty if the issuer says none. */
  readonly clientId: string;
  /** The organization claim, or the issuer where there is none. */
  readonly organization: string;
  /** Granted scopes as the token states them, before any hierarchy. */
  readonly scopes: readonly string[];
  /** The token's `jti`, or a keyed reference to it where there is none. Never the token. */
  readonly tokenId: string;
  /** Grant that the token came from, where its issuer says so. */
  readonly grantId: string | null;
  /** The token is bound to the certificate of the connection that it came on (RFC 8705). */
  readonly byCertificate?: boolean;
  /** Who acts for the subject (RFC 8693 section 4.1), nearest first; empty where nobody else does. */
  readonly actors: readonly string[];
  /** Seconds since the Unix epoch; null where the token does not say. */
  readonly issuedAt: number | null;
  /** Seconds since the Unix epoch. */
  readonly expiresAt: number;
  /** The token's audiences that matched. */
  readonly audience: string;
  /**
   * Stable name of issuer + subject + client for session binding and isolation. Survives refresh.
   * Unambiguous: no two principals share a key.
   */
  readonly key: string;
  /** Stable name of issuer + subject: what limits count on. Survives refresh and re-registration. */
  readonly subjectKey: string;
}
