import type { Config } from '../config/index.ts';
import { createConcurrency, createFloodGuard, createLoopGuard, createPenalties } from '../limits/index.ts';
import { createBodyBudget, type Runtime } from '../pipeline/index.ts';
import { isSame } from './reload.ts';
import type { Wiring } from './wire.ts';
import type { Parts } from './wire-parts.ts';

/** Request bodies in memory at once, over all callers and for each; never less than one of the largest. */
const bodyBytes = { total: 128 * 1024 * 1024, owner: 16 * 1024 * 1024 } as const;
const mostStreams = 10_000;

export function runtimeOf(config: Config, parts: Parts, before: Wiring | null): Runtime {
  const { clock, log, audit, sessions, tasks, streams, inFlight } = parts;
  const { limits, http } = config;
  const guards = { ...guardsFor(config, before), bodies: bodiesFor(config, before) };
  const { limiter } = parts.limits;
  const telemetry = parts.telemetry.calls;
  return {
    clock,
    log,
    audit,
    telemetry,
    limiter,
    ...guards,
    limits,
    http,
    sessions,
    tasks,
    streams,
    inFlight,
  };
}

function bodiesFor({ http: { maxBodyBytes } }: Config, before: Wiring | null): Runtime['bodies'] {
  if (before?.config.http.maxBodyBytes === maxBodyBytes) return before.site.runtime.bodies;
  const { total, owner } = bodyBytes;
  return createBodyBudget({
    total: Math.max(total, 4 * maxBodyBytes),
    owner: Math.max(owner, maxBodyBytes),
  });
}

/** Counters go on over a reload that leaves the limits as they are: what was taken is not given back. */
function guardsFor(
  { limits }: Config,
  before: Wiring | null,
): Pick<Runtime, 'flood' | 'loops' | 'penalties' | 'concurrency' | 'streamSlots'> {
  if (before && isSame(before.config.limits, limits)) {
    const { flood, loops, penalties, concurrency, streamSlots } = before.site.runtime;
    return { flood, loops, penalties, concurrency, streamSlots };
  }
  return {
    flood: createFloodGuard({
      address: limits.address,
      failures: limits.addressFailures,
      maxAddresses: 100_000,
    }),
    loops: limits.loop && createLoopGuard({ ...limits.loop, maxCalls: 20_000 }),
    penalties: createPenalties(),
    concurrency: createConcurrency(limits.concurrent),
    streamSlots: createConcurrency({ client: limits.concurrent.streams, upstream: mostStreams }),
  };
}
