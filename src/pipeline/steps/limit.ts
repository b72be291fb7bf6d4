import { type Refusal, type RefusalCode, refuse } from '../../base/index.ts';
import { limitDemands } from '../../limits/index.ts';
import type { AdmittedCall, AuthorizedCall } from '../call.ts';
import type { Runtime } from '../runtime.ts';

const codes: Readonly<Record<string, RefusalCode>> = {
  client: 'limit_client',
  tool: 'limit_tool',
  organization: 'limit_organization',
};

/** How often and how much at once. Nothing is charged when any layer refuses. */
export function limit(call: AuthorizedCall, runtime: Runtime): AdmittedCall | Refusal {
  const { principal, decision, operation, server } = call;
  const slots = isStream(call) ? runtime.streamSlots : runtime.concurrency;
  const place = slots.enter(principal.subjectKey, server.name);
  if (!place.entered) return crowded(place);
  const tool = operation.kind === 'tool' ? operation.name : null;
  const demands = limitDemands({ limits: runtime.limits, decision, principal, server: server.name, tool });
  const verdict = runtime.limiter.admit(demands, runtime.clock.monotonic());
  if (verdict.admitted)
    return Object.assign(call, { release: place.release }) as AuthorizedCall as AdmittedCall;
  place.release();
  const { layer, retryAfterMs, limit: ceiling, remaining } = verdict;
  return refuse(codes[layer] ?? 'limit_client', `The rate limit of this ${layer} is reached`, {
    limit: { layer, retryAfterMs, limit: ceiling, remaining },
  });
}

/** Streams stay open for hours: they have places of their own, or a few would block all calls. */
function isStream(call: AuthorizedCall): boolean {
  return call.httpMethod === 'GET' || call.operation.kind === 'listen';
}

function crowded(place: { layer: string; limit: number }): Refusal {
  return refuse('limit_concurrency', 'Too many calls at once', {
    limit: { layer: `concurrent_${place.layer}`, retryAfterMs: 1000, limit: place.limit, remaining: 0 },
  });
}
