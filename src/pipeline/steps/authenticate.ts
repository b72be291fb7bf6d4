import { isRefusal, type Refusal, refuse } from '../../base/index.ts';
import { bearerToken, type Principal } from '../../identity/index.ts';
import type { ReceivedCall } from '../call.ts';
import type { Runtime } from '../runtime.ts';

/** Who calls: from the access token and nothing else. */
export async function authenticate(call: ReceivedCall, runtime: Runtime): Promise<Principal | Refusal> {
  const { request, server } = call;
  const now = runtime.clock.monotonic();
  const flood = runtime.flood.check(request.address, now);
  if (!flood.admitted) {
    const { layer, retryAfterMs, limit, remaining } = flood;
    return refuse('limit_address', 'Too many requests from this address', {
      limit: { layer, retryAfterMs, limit, remaining },
    });
  }
  // Of two Authorization headers one reader takes the first and another the last.
  if (request.headers.isRepeated('authorization')) {
    return refuse('malformed_request', 'The authorization header came more than once');
  }
  const token = bearerToken(request.headers.get('authorization'), request.search);
  const principal = isRefusal(token) ? token : await server.authenticator.authenticate(token);
  if (isRefusal(principal) && principal.code !== 'token_missing' && principal.code !== 'issuer_unavailable') {
    runtime.flood.failed(request.address, now);
  }
  return principal;
}
