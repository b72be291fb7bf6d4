import { dpopAlgorithms } from './possession/dpop.ts';
import type { DpopMode } from './possession/possession.ts';

/**
 * `WWW-Authenticate` of a protected resource: RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1, MCP authorization.
 */
export interface Challenge {
  /** Absolute URL of the RFC 9728 document. */
  readonly resourceMetadata: string;
  /** What a client should ask for now. */
  readonly scopes: readonly string[];
  readonly error?: 'invalid_token' | 'insufficient_scope' | 'invalid_dpop_proof' | 'use_dpop_nonce';
  /** Public sentence; never echoes what was sent. */
  readonly description?: string;
  /** Schemes that the server takes; Bearer alone unless given. */
  readonly dpop?: DpopMode;
  /** Scheme of the request: its challenge comes first and says what was wrong. */
  readonly scheme?: 'bearer' | 'dpop';
}

export function formatChallenge(challenge: Challenge): string {
  const { dpop = 'off', scheme = 'bearer', error } = challenge;
  const said = parameters(challenge);
  const algorithms = `algs=${quoted(dpopAlgorithms.join(' '))}`;
  if (dpop === 'off') return `Bearer ${said}`;
  // Another scheme would not help who only lacks a scope.
  if (dpop === 'required' || (scheme === 'dpop' && error === 'insufficient_scope'))
    return `DPoP ${said}, ${algorithms}`;
  if (error === 'insufficient_scope') return `Bearer ${said}`;
  const metadata = `resource_metadata=${quoted(challenge.resourceMetadata)}`;
  return scheme === 'dpop'
    ? `DPoP ${said}, ${algorithms}, Bearer ${metadata}`
    : `Bearer ${said}, DPoP ${algorithms}, ${metadata}`;
}

function parameters({ error, description, resourceMetadata, scopes }: Challenge): string {
  const found: string[] = [];
  if (error) found.push(`error=${quoted(error)}`);
  if (description) found.push(`error_description=${quoted(description)}`);
  found.push(`resource_metadata=${quoted(resourceMetadata)}`);
  if (scopes.length > 0) found.push(`scope=${quoted(scopes.join(' '))}`);
  return found.join(', ');
}

/** A quoted-string of RFC 9110 section 5.6.4, limited to what RFC 6750 section 3 allows in these parameters. */
function quoted(value: string): string {
  return `"${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, ' ')}"`;
}
