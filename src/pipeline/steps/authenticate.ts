import { isRefusal, type Refusal, type RefusalCode, refuse, Secret } from '../../base/index.ts';
import { type Presentation, type Principal, readCredentials, type StaticKeys } from '../../identity/index.ts';
import type { ReceivedCall } from '../call.ts';
import type { IncomingRequest } from '../request.ts';
import type { Runtime } from '../runtime.ts';
import { observeAuthentication } from './observed-authentication.ts';

/** Who calls: from the access token and nothing else. */
export async function authenticate(call: ReceivedCall, runtime: Runtime): Promise<Principal | Refusal> {
  const { request } = call;
  const now = runtime.clock.monotonic();
  const flood = runtime.flood.check(request.address, now);
  if (!flood.admitted) {
    const { layer, retryAfterMs, limit, remaining } = flood;
    return refuse('limit_address', 'Too many requests from this address', {
      limit: { layer, retryAfterMs, limit, remaining },
    });
  }
  const principal = await identify(call);
  if (!isRefusal(principal)) return principal;
  if (!unsuspicious.has(principal.code)) runtime.flood.failed(request.address, now);
  return observeAuthentication(call, principal, runtime.clock.now());
}

/** What a client that does nothing wrong may meet. */
const unsuspicious: ReadonlySet<RefusalCode> = new Set([
  'token_missing',
  'issuer_unavailable',
  'proof_unavailable',
  'proof_nonce',
]);

async function identify(call: ReceivedCall): Promise<Principal | Refusal> {
  const { request, server } = call;
  const { authenticator, staticKeys } = server;
  // Of two headers one reader takes the first and another the last.
  for (const name of ['authorization', 'dpop']) {
    if (request.headers.isRepeated(name))
      return refuse('malformed_request', `The ${name} header came more than once`);
  }
  const key = staticKeyOf(request, staticKeys);
  if (key) return key;
  const credentials = readCredentials(request.headers.get('authorization'), request.search);
  if (isRefusal(credentials)) return credentials;
  const known = credentials.scheme === 'bearer' ? staticKeys?.find(credentials.token, null) : null;
  if (known) return known;
  const presentation: Presentation = {
    scheme: credentials.scheme,
    proof: request.headers.get('dpop') ?? null,
    httpMethod: request.httpMethod,
    certificate: request.certificate ?? (() => null),
  };
  const principal = await authenticator.authenticate(credentials.token, presentation);
  if (server.keepsToken && !isRefusal(principal)) {
    Object.assign(call, { callerToken: new Secret(credentials.token) });
  }
  return principal;
}

/** A key in a header of its own. Whoever sends it and a token is two callers. */
function staticKeyOf({ headers }: IncomingRequest, keys: StaticKeys | null): Principal | Refusal | null {
  for (const name of keys?.headers ?? []) {
    const value = headers.get(name);
    if (value === undefined) continue;
    if (headers.isRepeated(name))
      return refuse('malformed_request', `The ${name} header came more than once`);
    if (headers.get('authorization') !== undefined) {
      return refuse('malformed_request', 'Authorization and a key came together');
    }
    return keys?.find(value, name) ?? refuse('token_malformed', 'The key is not valid here');
  }
  return null;
}
