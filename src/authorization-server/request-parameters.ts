import type { ProtectedResource } from './authorization-server.ts';
import { canonicalResource } from './resources.ts';
import { effectiveScope, knownScopes } from './scopes.ts';

export interface ParameterRules {
  readonly resources: readonly ProtectedResource[];
  readonly knownScopes: ReadonlySet<string>;
  readonly baseline: readonly string[];
}

/** Only meaningful together with `openid`, which is dropped: a client that sends them gets its code all the same. */
const openIdConnectOnly = ['nonce', 'claims', 'claims_locales', 'acr_values', 'id_token_hint'];

/** Grants that follow from what a person consented to. */
const personGrants = new Set(['authorization_code', 'refresh_token']);

const knownPrompts = new Set(['none', 'login', 'consent']);

/**
 * The parameters of an authorization request as oidc-provider gets to see them: existing scopes, configured spelling of
 * resources, no OpenID Connect. Duplicates stay, so that they are still refused (RFC 6749 section 3.1).
 * @param given attacker-controlled
 */
export function authorizationParameters(given: URLSearchParams, rules: ParameterRules): URLSearchParams {
  const parameters = canonicalResources(given, rules);
  if (parameters.getAll('scope').length <= 1) {
    parameters.set('scope', effectiveScope(parameters.get('scope'), rules.knownScopes, rules.baseline));
  }
  for (const name of openIdConnectOnly) parameters.delete(name);
  if (parameters.getAll('prompt').length <= 1) setPrompts(parameters);
  parameters.delete('max_age');
  // oidc-provider knows others, which the metadata does not name: a fragment takes a code past an open redirector, a form posts it.
  if ((parameters.get('response_mode') || 'query') !== 'query') parameters.set('response_mode', 'none');
  return parameters;
}

/**
 * The same of a pushed request (RFC 9126 section 2.1), whose client id is not optional even where the client
 * authenticates by other means: it is what ties the request to whoever uses it. Null if it is missing.
 * @param given attacker-controlled
 */
export function pushedParameters(given: URLSearchParams, rules: ParameterRules): URLSearchParams | null {
  return given.getAll('client_id').length === 1 ? authorizationParameters(given, rules) : null;
}

/** `max_age` becomes a demand for a fresh sign-in: stricter than what was asked, never laxer. */
function setPrompts(parameters: URLSearchParams): void {
  const prompts = (parameters.get('prompt') ?? '').split(' ').filter((prompt) => knownPrompts.has(prompt));
  const fresh = parameters.has('max_age') && !prompts.includes('none') && !prompts.includes('login');
  if (fresh) prompts.unshift('login');
  if (prompts.length > 0) parameters.set('prompt', prompts.join(' '));
  else parameters.delete('prompt');
}

/** The parameters of a token request: resources in their configured spelling, scopes of a refresh that exist. */
export function tokenParameters(given: URLSearchParams, rules: ParameterRules): URLSearchParams {
  const parameters = canonicalResources(given, rules);
  const scopes = parameters.getAll('scope');
  // A machine that asked for nothing that there is must not get the default in its place: see grants/scopes.ts.
  const isMachine = !personGrants.has(parameters.get('grant_type') ?? '');
  if (scopes.length === 1 && !isMachine) {
    const kept = knownScopes(scopes[0] ?? '', rules.knownScopes);
    if (kept.length > 0) parameters.set('scope', kept.join(' '));
    else parameters.delete('scope');
  }
  return parameters;
}

function canonicalResources(given: URLSearchParams, rules: ParameterRules): URLSearchParams {
  const entries = [...given].map(([name, value]): [string, string] => [
    name,
    name === 'resource' ? (canonicalResource(value, rules.resources) ?? value) : value,
  ]);
  return new URLSearchParams(entries);
}
