/**
 * `WWW-Authenticate` of a protected resource: RFC 6750 section 3, RFC 9728 section 5.1, MCP authorization.
 */
export interface Challenge {
  /** Absolute URL of the RFC 9728 document. */
  readonly resourceMetadata: string;
  /** What a client should ask for now. */
  readonly scopes: readonly string[];
  readonly error?: 'invalid_token' | 'insufficient_scope';
  /** Public sentence; never echoes what was sent. */
  readonly description?: string;
}

export function formatChallenge(challenge: Challenge): string {
  const parameters: string[] = [];
  if (challenge.error) parameters.push(`error=${quoted(challenge.error)}`);
  if (challenge.description) parameters.push(`error_description=${quoted(challenge.description)}`);
  parameters.push(`resource_metadata=${quoted(challenge.resourceMetadata)}`);
  if (challenge.scopes.length > 0) parameters.push(`scope=${quoted(challenge.scopes.join(' '))}`);
  return `Bearer ${parameters.join(', ')}`;
}

/** A quoted-string of RFC 9110 section 5.6.4, limited to what RFC 6750 section 3 allows in these parameters. */
function quoted(value: string): string {
  return `"${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, ' ')}"`;
}
