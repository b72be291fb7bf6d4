import type { ProtectedResource } from './authorization-server.ts';
import { type DpopMode, dpopAlgorithms } from './dpop.ts';
import { issuerPath } from './options.ts';
import { offlineAccess } from './scopes.ts';

/** Below the issuer's path. oidc-provider is configured with the same ones. */
export const endpoints = {
  authorization: '/authorize',
  token: '/token',
  registration: '/register',
  pushed_authorization_request: '/par',
  revocation: '/revoke',
  introspection: '/introspect',
  jwks: '/jwks',
} as const;

/** `private_key_jwt` is what ChatGPT's metadata document asks for; `none` is what makes Claude choose one. */
export const clientAuthMethods = [
  'none',
  'private_key_jwt',
  'client_secret_basic',
  'client_secret_post',
] as const;

export const clientAuthAlgorithms = ['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA'] as const;

export interface MetadataOptions {
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly metadataDocuments: boolean;
  readonly dynamicRegistration: boolean;
  /** Those without a person, where a client is registered for them. */
  readonly grants: readonly string[];
  readonly dpop: DpopMode;
}

/** RFC 8414 section 2. Depends on configuration alone, never on a request's headers. */
export function authorizationServerMetadata(options: MetadataOptions): Record<string, unknown> {
  const at = (path: string) => options.issuer + path;
  return {
    issuer: options.issuer,
    authorization_endpoint: at(endpoints.authorization),
    token_endpoint: at(endpoints.token),
    ...(options.dynamicRegistration && { registration_endpoint: at(endpoints.registration) }),
    pushed_authorization_request_endpoint: at(endpoints.pushed_authorization_request),
    require_pushed_authorization_requests: false,
    revocation_endpoint: at(endpoints.revocation),
    introspection_endpoint: at(endpoints.introspection),
    jwks_uri: at(endpoints.jwks),
    scopes_supported: [...options.scopes, offlineAccess],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', ...options.grants],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: clientAuthMethods,
    token_endpoint_auth_signing_alg_values_supported: clientAuthAlgorithms,
    revocation_endpoint_auth_methods_supported: clientAuthMethods,
    revocation_endpoint_auth_signing_alg_values_supported: clientAuthAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthMethods,
    introspection_endpoint_auth_signing_alg_values_supported: clientAuthAlgorithms,
    ...(options.dpop !== 'off' && { dpop_signing_alg_values_supported: dpopAlgorithms }),
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: options.metadataDocuments,
    // OpenID Connect Discovery demands these two; no ID token is ever issued.
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

/**
 * Every path at which clients look for the document: RFC 8414 path insertion, OpenID Connect appending, the root, and
 * for clients of 2025-03-26, which take the MCP server itself for its authorization server, the same forms on each
 * resource's path.
 */
export function metadataPaths(resources: readonly ProtectedResource[]): ReadonlySet<string> {
  const documents = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
  const bases = [issuerPath, ...resources.map(({ resource }) => new URL(resource).pathname)];
  const paths = new Set(documents);
  for (const base of bases.map((path) => path.replace(/\/$/, ''))) {
    for (const document of documents) paths.add(document + base).add(base + document);
  }
  return paths;
}
