import { dpopAlgorithms } from './possession/dpop.ts';
import type { DpopMode } from './possession/possession.ts';

/** The OAuth 2.0 protected resource metadata document (RFC 9728 section 2). */
export interface ResourceMetadata {
  /** Exactly the URL that clients type: they compare strings. */
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly bearer_methods_supported: readonly ['header'];
  readonly resource_name: string;
  /** RFC 9728 section 2; absent where DPoP is off. */
  readonly dpop_signing_alg_values_supported?: readonly string[];
  readonly dpop_bound_access_tokens_required?: true;
}

export const wellKnownResourcePath = '/.well-known/oauth-protected-resource';

/** RFC 9728 section 3.1: the well-known part goes between host and path. */
export function resourceMetadataUrl(resource: string): string {
  const url = new URL(resource);
  return `${url.origin}${wellKnownResourcePath}${url.pathname === '/' ? '' : url.pathname}`;
}

export function resourceMetadata(options: {
  resource: string;
  name: string;
  issuers: readonly string[];
  scopes: readonly string[];
  dpop: DpopMode;
}): ResourceMetadata {
  return {
    resource: options.resource,
    authorization_servers: options.issuers,
    scopes_supported: options.scopes,
    bearer_methods_supported: ['header'],
    resource_name: options.name,
    ...(options.dpop !== 'off' && { dpop_signing_alg_values_supported: dpopAlgorithms }),
    ...(options.dpop === 'required' && { dpop_bound_access_tokens_required: true as const }),
  };
}
