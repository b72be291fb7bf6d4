/** What the holder of a token must show besides the token (RFC 7800 section 3.1, `cnf`). Null members ask for nothing. */
export interface Confirmation {
  /** Thumbprint of the key that signs DPoP proofs: `jkt`, RFC 9449 section 6.1. */
  readonly key: string | null;
  /** SHA-256 of the client's certificate: `x5t#S256`, RFC 8705 section 3.1. */
  readonly certificate: string | null;
}

/** SHA-256 in base64url. */
const thumbprint = /^[A-Za-z0-9_-]{43}$/;

/**
 * @returns null for a bearer token; `unusable` for a binding that cannot be checked in full: to overlook a member that we do
 *   not know would make a bound token a bearer token
 */
export function confirmationOf(cnf: unknown): Confirmation | null | 'unusable' {
  if (cnf === undefined) return null;
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return 'unusable';
  const { jkt, 'x5t#S256': certificate, ...unknown } = cnf as Record<string, unknown>;
  if (Object.keys(unknown).length > 0 || (jkt === undefined && certificate === undefined)) return 'unusable';
  if (!isThumbprint(jkt) || !isThumbprint(certificate)) return 'unusable';
  return { key: jkt ?? null, certificate: certificate ?? null };
}

function isThumbprint(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && thumbprint.test(value));
}
