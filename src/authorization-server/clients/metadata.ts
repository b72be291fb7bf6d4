import type { ClientMetadata } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { clientAuthMethods } from '../metadata.ts';
import { areAllowedRedirects, redirectTarget } from './redirect-policy.ts';

const maximumName = 200;
const grantTypes = new Set(['authorization_code', 'refresh_token']);

/** Members that change nothing we want changed: sign-in policy, OpenID Connect, documents on other hosts. */
const ignored = [
  'default_acr_values',
  'default_max_age',
  'id_token_signed_response_alg',
  'initiate_login_uri',
  'require_auth_time',
  'response_modes',
  'sector_identifier_uri',
  'subject_type',
  'contacts',
  // What a client registers is no ceiling: it may ask for more later, and the person decides.
  'scope',
] as const;

/**
 * The rules for every client, whether it registered or published a document. Changes `metadata` in place, because that is
 * how oidc-provider's validator works; throws what it turns into `invalid_client_metadata`.
 * @param metadata attacker-controlled
 */
export function applyClientRules(metadata: ClientMetadata, schemes: readonly string[]): void {
  for (const member of ignored) delete metadata[member];
  if (!areAllowedRedirects(metadata.redirect_uris, schemes)) {
    throw new errors.InvalidClientMetadata(redirectRule);
  }
  if (metadata.application_type === 'web' && !metadata.redirect_uris.every(isWeb)) {
    throw new errors.InvalidClientMetadata(webRule);
  }
  const { client_name: name } = metadata;
  if (name !== undefined && (typeof name !== 'string' || name.length > maximumName)) {
    throw new errors.InvalidClientMetadata(
      `client_name must be a string of at most ${maximumName} characters`,
    );
  }
}

export const redirectRule =
  'redirect_uris must be https, http on a loopback address, or a known application scheme';

/** OpenID Connect Registration section 2: a web client's codes go to https alone, and the URI must match exactly. */
const webRule = 'redirect_uris of application_type web must be https';

function isWeb(uri: string): boolean {
  return redirectTarget(uri, [])?.kind === 'web';
}

/**
 * A registration as oidc-provider gets to see it: grant types and response types that do not exist here are left out
 * instead of refused, because clients list what they could do. RFC 7591 section 2 lets the server replace values.
 * @param body attacker-controlled
 */
export function registrationMetadata(body: Record<string, unknown>): Record<string, unknown> {
  const { scope: _scope, client_id: _id, client_secret: _secret, ...wanted } = body;
  return {
    ...wanted,
    grant_types: supportedGrantTypes(body['grant_types']),
    response_types: ['code'],
    application_type: body['application_type'] === 'web' ? 'web' : 'native',
    token_endpoint_auth_method: supportedAuthMethod(body['token_endpoint_auth_method']),
  };
}

/** A client that names none gets refresh tokens too: it cannot know that it must ask. */
function supportedGrantTypes(given: unknown): string[] {
  if (!Array.isArray(given)) return [...grantTypes];
  const kept = given.filter((type) => typeof type === 'string' && grantTypes.has(type));
  return [...new Set(['authorization_code', ...kept])];
}

/** None where none is named: almost every MCP client is public, and a secret it did not ask for only confuses it. */
function supportedAuthMethod(given: unknown): unknown {
  const methods: readonly unknown[] = clientAuthMethods;
  return methods.includes(given) ? given : 'none';
}
