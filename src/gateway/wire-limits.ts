import type { AuditTrail } from '../audit/index.ts';
import { type Clock, type Log, timestamp } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { createLimiter, createRedisCounters, createSharedLimiter, type Limiter } from '../limits/index.ts';
import type { RedisConnection } from '../store/index.ts';

export interface LimitParts {
  readonly audit: AuditTrail;
  readonly redis: RedisConnection | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** The counters of this process, and what they need to be closed. */
export interface OpenLimits {
  readonly limiter: Limiter;
  close(): Promise<void>;
}

const maxKeys = 1_000_000;

/** In Redis where there is one. */
export async function openLimits(config: Config, parts: LimitParts): Promise<OpenLimits> {
  const local = createLimiter({ maxKeys });
  if (parts.redis === null) return { limiter: local, close: async () => {} };
  const remote = createRedisCounters(parts.redis);
  const shared = createSharedLimiter({ remote, local, clock: parts.clock, ...storeEvents(config, parts) });
  return { limiter: shared, close: async () => shared.close() };
}

/** Noteworthy: from here on limits are not what the configuration says for the whole, or calls are refused. */
function storeEvents(
  { limits }: Config,
  { audit, clock, log }: LimitParts,
): Pick<Parameters<typeof createSharedLimiter>[0], 'onDown' | 'onRecovered'> {
  const { destructive, others } = limits.whenStoreIsDown;
  const event = (name: string, data: Record<string, string | number>): void =>
    audit.event({ timestamp: timestamp(clock.now()), event: name, data });
  return {
    onDown({ store, detail }) {
      log.error({ store, detail, destructive, others }, 'the shared counters of limits cannot be reached');
      event('limits.store_down', { store, detail, destructive, others });
    },
    onRecovered({ store, seconds, local, refused }) {
      log.warn({ store, seconds, local, refused }, 'the shared counters of limits are back');
      event('limits.store_recovered', { store, seconds, calls_local: local, calls_refused: refused });
    },
  };
}
