import { argumentsForm } from '../../audit/index.ts';
import { isRefusal, type Refusal } from '../../base/index.ts';
import {
  type Allowance,
  type LimitDemand,
  type LimitVerdict,
  limitDemands,
  rateLimitFields,
} from '../../limits/index.ts';
import type { AdmittedCall, AuthorizedCall } from '../call.ts';
import type { Runtime } from '../runtime.ts';
import { crowded, heldBack, looping, overLimit, withoutCounters } from './limit-refusals.ts';

/**
 * How often and how much at once. Nothing is charged when any layer refuses. Gives a promise only where the counters are
 * outside of this process.
 */
export function limit(
  call: AuthorizedCall,
  runtime: Runtime,
): AdmittedCall | Refusal | Promise<AdmittedCall | Refusal> {
  const { principal, decision, server } = call;
  const now = runtime.clock.monotonic();
  const tool = toolOf(call);
  const demands = limitDemands({ limits: runtime.limits, decision, principal, server: server.name, tool });
  const attempt: Attempt = { call, runtime, demands, now };
  const early = holdBack(attempt);
  if (early) return early;
  const places = takePlaces(attempt);
  if (isRefusal(places)) return places;
  const { destructive, others } = runtime.limits.whenStoreIsDown;
  const verdict = runtime.limiter.admit(demands, now, decision.destructive ? destructive : others);
  if (!(verdict instanceof Promise)) return settle(attempt, places, verdict);
  return verdict.then(
    (late) => settle(attempt, places, late),
    (error: unknown) => {
      places.giveBack();
      throw error;
    },
  );
}

interface Attempt {
  readonly call: AuthorizedCall;
  readonly runtime: Runtime;
  readonly demands: readonly LimitDemand[];
  readonly now: number;
}

const toolOf = ({ operation }: AuthorizedCall) => (operation.kind === 'tool' ? operation.name : null);

/** Who hammers is refused without a question to the counters. */
function holdBack({ call, runtime: { penalties }, demands, now }: Attempt): Refusal | null {
  if (penalties.size() === 0) return null;
  for (const layer of ['client', 'tool'] as const) {
    const name = rowName(call, layer);
    const wait = penalties.waitMs(name, now);
    if (wait <= 0) continue;
    const retryAfterMs = penalties.refused(name, wait, now);
    const demand = demands.find((one) => one.layer === layer);
    tell(call, demands, demand ? { demand, remaining: 0, moreInMs: retryAfterMs } : null);
    return heldBack(layer, retryAfterMs, demand);
  }
  return null;
}

/** Whose refusals follow each other: a tool's limit that is reached does not slow the caller's other calls. */
function rowName(call: AuthorizedCall, layer: string): string {
  const { subjectKey } = call.principal;
  return layer === 'tool' ? `${call.server.name} ${toolOf(call)} ${subjectKey}` : subjectKey;
}

/** What a call holds until it has ended. */
interface Places {
  readonly release: () => void;
  /** It is refused after all. */
  readonly giveBack: () => void;
}

function takePlaces({ call, runtime, now }: Attempt): Places | Refusal {
  const slots = isStream(call) ? runtime.streamSlots : runtime.concurrency;
  const place = slots.enter(call.principal.subjectKey, call.server.name);
  if (!place.entered) return crowded(place);
  const { release } = place;
  const { loops } = runtime;
  const { loop } = runtime.limits;
  if (loops === null || loop === null || call.operation.kind !== 'tool')
    return { release, giveBack: release };
  const turn = loops.enter(identityOf(call, call.operation), now);
  if (!turn.entered) {
    release();
    return looping(call.operation.name, loop, turn.retryAfterMs);
  }
  const giveBack = () => {
    turn.undo();
    release();
  };
  return { release, giveBack };
}

/** The same for the same call: caller, server, tool, and the arguments whatever the order of their keys. */
function identityOf(
  { principal, server }: AuthorizedCall,
  {
    name,
    arguments: given,
  }: { readonly name: string; readonly arguments: Parameters<typeof argumentsForm>[0] },
): string {
  const who = JSON.stringify([principal.subjectKey, server.name, name]);
  return `${who}${argumentsForm(given)?.text ?? ''}`;
}

function settle(
  { call, runtime, demands }: Attempt,
  places: Places,
  verdict: LimitVerdict,
): AdmittedCall | Refusal {
  const { penalties } = runtime;
  if (verdict.admitted) {
    if (penalties.size() > 0) {
      penalties.admitted(rowName(call, 'client'));
      penalties.admitted(rowName(call, 'tool'));
    }
    tell(call, demands, verdict.tightest);
    return Object.assign(call, { release: places.release }) as AuthorizedCall as AdmittedCall;
  }
  places.giveBack();
  if (verdict.layer === 'store') return withoutCounters(verdict.retryAfterMs);
  const name = rowName(call, verdict.layer);
  const retryAfterMs = penalties.refused(name, verdict.retryAfterMs, runtime.clock.monotonic());
  tell(call, demands, { demand: verdict.demand, remaining: 0, moreInMs: retryAfterMs });
  return overLimit(verdict, retryAfterMs);
}

/** Headers of the answer, whatever it will be. */
function tell(call: AuthorizedCall, demands: readonly LimitDemand[], allowance: Allowance | null): void {
  Object.assign(call, { rateLimit: rateLimitFields(demands, allowance) });
}

/** Streams stay open for hours: they have places of their own, or a few would block all calls. */
function isStream(call: AuthorizedCall): boolean {
  return call.httpMethod === 'GET' || call.operation.kind === 'listen';
}
