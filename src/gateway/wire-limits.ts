import type { AuditTrail } from '../audit/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import {
  createLeases,
  createLimiter,
  createRedisCounters,
  createSharedLimiter,
  joinKeeper,
  type Limiter,
} from '../limits/index.ts';
import type { RedisConnection } from '../store/index.ts';
import { tellIn } from './events.ts';

export interface LimitParts {
  readonly audit: AuditTrail;
  readonly redis: RedisConnection | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Known to the processes of this data directory alone. */
  readonly word: string;
}

/** The counters of this process, and what they need to be closed. */
export interface OpenLimits {
  readonly limiter: Limiter;
  close(): Promise<void>;
}

const maxKeys = 1_000_000;

/** In Redis where there is one; else with the other processes of this data directory. */
export async function openLimits(config: Config, parts: LimitParts): Promise<OpenLimits> {
  const local = createLimiter({ maxKeys });
  const events = storeEvents(config, parts);
  const { clock, log, word } = parts;
  if (parts.redis !== null) {
    const counters = createRedisCounters(parts.redis);
    const most = config.redis?.leases?.most ?? 1;
    const leases = most > 1 ? createLeases(counters, { most, clock }) : null;
    const shared = createSharedLimiter({ remote: leases ?? counters, local, clock, ...events });
    const close = async () => {
      shared.close();
      leases?.close();
    };
    return { limiter: shared, close };
  }
  const keeper = await joinKeeper({ dataDir: config.data, word, memory: local, clock, log });
  const shared = createSharedLimiter({ remote: keeper, local, clock, ...events });
  const close = async () => {
    shared.close();
    keeper.close();
  };
  return { limiter: shared, close };
}

/** Noteworthy: from here on limits are not what the configuration says for the whole, or calls are refused. */
function storeEvents(
  { limits }: Config,
  { audit, clock, log }: LimitParts,
): Pick<Parameters<typeof createSharedLimiter>[0], 'onDown' | 'onRecovered'> {
  const { destructive, others } = limits.whenStoreIsDown;
  const tell = tellIn(audit, clock);
  return {
    onDown({ store, detail }) {
      log.error({ store, detail, destructive, others }, 'the shared counters of limits cannot be reached');
      tell('limits.store_down', { data: { store, detail, destructive, others } });
    },
    onRecovered({ store, seconds, local, refused }) {
      log.warn({ store, seconds, local, refused }, 'the shared counters of limits are back');
      tell('limits.store_recovered', {
        data: { store, seconds, calls_local: local, calls_refused: refused },
      });
    },
  };
}
