import { randomUUID } from 'node:crypto';
import type { Faults } from './faults.ts';
import type { Issuer, RegisteredClient } from './issuer.ts';
import { type Limits, retryAfter } from './limits.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AuthorizationRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly authorization?: string;
  /** Origin that documents name: fixed, but for a fault. */
  readonly origin: string;
}

/** The authorization server beside the resource; null for paths that are not its own. */
export function createAuthorization(issuer: Issuer, limits: Limits, faults: Faults) {
  const register = registration(issuer, limits, faults);
  return async (request: AuthorizationRequest): Promise<Answer | null> => {
    switch (`${request.method} ${request.path}`) {
      case 'GET /.well-known/oauth-authorization-server':
      case 'GET /.well-known/openid-configuration':
        return { status: 200, headers: readable, body: metadata(request.origin, faults) };
      case 'GET /jwks':
        return { status: 200, headers: readable, body: issuer.jwks };
      case 'POST /register':
        return faults.has('no-registration') ? { status: 404 } : register(request.body);
      case 'GET /authorize':
        return authorize(request.query, issuer, faults);
      case 'POST /token':
        return token(request, issuer);
      case 'POST /revoke':
        issuer.revoke(new URLSearchParams(request.body).get('token') ?? '');
        return { status: 200 };
      default:
        return null;
    }
  };
}

const readable = { 'access-control-allow-origin': '*', 'cache-control': 'max-age=60' };

function metadata(origin: string, faults: Faults): object {
  return {
    issuer: faults.has('issuer-differs') ? `${origin}/elsewhere` : origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    ...(faults.has('no-registration') ? {} : { registration_endpoint: `${origin}/register` }),
    revocation_endpoint: `${origin}/revoke`,
    jwks_uri: `${origin}/jwks`,
    response_types_supported: faults.has('token-response-type') ? ['code', 'token'] : ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    ...(faults.has('no-s256') ? {} : { code_challenge_methods_supported: ['S256'] }),
    token_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
    scopes_supported: ['mcp:tools:read', 'mcp:tools:write', 'mcp:tools:admin'],
  };
}

const registrationCeiling = { burst: 12, perSecond: 2 };
const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?\//;

function registration(issuer: Issuer, limits: Limits, faults: Faults) {
  return (body: string): Answer => {
    const wait = faults.has('register-unlimited')
      ? 0
      : limits.take([{ key: 'register', ceiling: registrationCeiling }]);
    if (wait > 0) return { status: 429, headers: { 'retry-after': retryAfter(wait, new Set()) } };
    const wanted = parse(body);
    const uris = wanted?.['redirect_uris'];
    if (!Array.isArray(uris) || uris.length === 0) return refused('invalid_client_metadata');
    if (!faults.has('register-anything')) {
      if (body.length > 16_384 || uris.length > 10) return refused('invalid_client_metadata');
      if (!uris.every((uri) => isGoodRedirect(uri))) return refused('invalid_redirect_uri');
      if (wanted?.['scope'] !== undefined && /admin/.test(String(wanted['scope'])))
        return refused('invalid_client_metadata');
    }
    const clientId = randomUUID();
    issuer.clients.set(clientId, { redirectUris: uris.map(String) } satisfies RegisteredClient);
    const told = { client_id: clientId, redirect_uris: uris, token_endpoint_auth_method: 'none' };
    return { status: 201, headers: { 'cache-control': 'no-store' }, body: { ...wanted, ...told } };
  };
}

function isGoodRedirect(uri: unknown): boolean {
  if (typeof uri !== 'string' || uri.includes('#') || uri.includes('*') || !URL.canParse(uri)) return false;
  if (new URL(uri).username !== '') return false;
  return uri.startsWith('https://') || loopback.test(uri);
}

function parse(body: string): Record<string, unknown> | null {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function refused(error: string): Answer {
  return { status: 400, headers: { 'cache-control': 'no-store' }, body: { error } };
}

/** There is nobody to ask: whoever comes with a good request is alice, or whom `login_hint` names. */
function authorize(query: URLSearchParams, issuer: Issuer, faults: Faults): Answer {
  const clientId = query.get('client_id') ?? '';
  const redirectUri = query.get('redirect_uri') ?? '';
  const known = issuer.clients.get(clientId)?.redirectUris ?? [];
  if (!known.some((uri) => isRegistered(redirectUri, uri, faults))) return refused('invalid_request');
  const back = (more: Record<string, string>): Answer => {
    const target = new URL(redirectUri);
    const state = query.get('state');
    const all = { ...more, iss: issuer.url, ...(state === null ? {} : { state }) };
    for (const [name, value] of Object.entries(all)) target.searchParams.set(name, value);
    return { status: 302, headers: { location: target.href, 'cache-control': 'no-store' } };
  };
  if (query.get('response_type') !== 'code') return back({ error: 'unsupported_response_type' });
  const challenge = query.get('code_challenge');
  const isPkce = challenge !== null && query.get('code_challenge_method') === 'S256';
  if (!isPkce && !faults.has('pkce-optional')) return back({ error: 'invalid_request' });
  const resource = query.get('resource') ?? issuer.resource;
  if (resource !== issuer.resource) return back({ error: 'invalid_target' });
  const scope = query.get('scope') ?? 'mcp:tools:read';
  const subject = query.get('login_hint') ?? 'alice';
  return back({ code: issuer.issueCode({ clientId, redirectUri, challenge, scope, resource, subject }) });
}

/** RFC 8252 section 7.3: any port on loopback; everything else exactly. */
function isRegistered(given: string, registered: string, faults: Faults): boolean {
  if (given === registered) return true;
  if (faults.has('redirect-prefix'))
    return given.startsWith(new URL(registered).origin) || /evil|attacker/.test(given);
  const portless = (uri: string) => uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(:\d+)?/, '$1');
  return loopback.test(registered) && portless(given) === portless(registered);
}

/** Of the client `ci`, which acts without a person. */
export const clientSecret = 'a-secret-of-the-client-ci';

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
function isMachine(authorization = ''): boolean {
  const pair = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
  return decodeURIComponent(pair) === `ci:${clientSecret}`;
}

async function token({ body, authorization }: AuthorizationRequest, issuer: Issuer): Promise<Answer> {
  const form = new URLSearchParams(body);
  if (form.get('grant_type') === 'client_credentials') {
    if (!isMachine(authorization)) return { ...refused('invalid_client'), status: 401 };
    if (form.get('resource') !== issuer.resource) return refused('invalid_target');
    const access_token = await issuer.mint({ subject: 'ci', clientId: 'ci' });
    const headers = { 'cache-control': 'no-store' };
    return { status: 200, headers, body: { access_token, token_type: 'Bearer', expires_in: 900 } };
  }
  const tokens = await issuer.redeem(form);
  if (!tokens) return refused('invalid_grant');
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      token_type: 'Bearer',
      expires_in: tokens.expiresIn,
      scope: tokens.scope,
    },
  };
}
