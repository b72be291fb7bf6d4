import type { RateLimit } from '../../policy/index.ts';
import type { RedisConnection } from '../../store/index.ts';
import type { Pace } from '../gcra.ts';
import {
  type Allowance,
  allowanceOf,
  isOwn,
  type LimitDemand,
  type LimitRefused,
  refusedFor,
} from '../limiter.ts';
import type { RemoteCounters } from '../shared/limiter.ts';
import { admitScript, giveBackScript } from './redis-script.ts';

/** Counters that gateways on several machines share. */
export interface RedisCounters extends RemoteCounters {
  /**
   * One decision; charges all demands or none.
   * @param wanted calls to take at most of each demand; one each unless given
   */
  take(demands: readonly LimitDemand[], wanted?: readonly number[]): Promise<Taken | LimitRefused>;
  /** Gives calls of a demand back that were taken and not made. */
  giveBack(demand: LimitDemand, calls: number): Promise<void>;
}

export interface Taken {
  readonly admitted: true;
  /** For each demand, in order. */
  readonly calls: readonly number[];
  readonly tightest: Allowance | null;
}

const microsecondsPerMs = 1000;

/** Rounded up, by less than a microsecond: never faster than configured. */
function paceInMicroseconds({ count, periodMs, burst }: RateLimit): Pace {
  const interval = Math.ceil((periodMs * microsecondsPerMs) / count);
  return { interval, tolerance: interval * (burst - 1) };
}

export function createRedisCounters(redis: RedisConnection): RedisCounters {
  const keyOf = ({ key, partition = '' }: LimitDemand): string =>
    `${redis.prefix}limits:${redis.isCluster ? `{${partition}}:` : ''}${key}`;

  async function takeTogether(demands: readonly LimitDemand[], wanted: readonly number[]) {
    const parameters = demands.flatMap(({ limit }, at) => {
      const { interval, tolerance } = paceInMicroseconds(limit);
      return [interval, tolerance, wanted[at] ?? 1];
    });
    return read(await redis.run(admitScript, demands.map(keyOf), parameters), demands);
  }

  async function giveBack(demands: readonly LimitDemand[], calls: readonly number[]): Promise<void> {
    const parameters = demands.flatMap(({ limit }, at) => [
      paceInMicroseconds(limit).interval,
      calls[at] ?? 1,
    ]);
    await redis.run(giveBackScript, demands.map(keyOf), parameters);
  }

  /**
   * A cluster runs a script on one slot only, and each organization has its own. What lies elsewhere (the total of a tool)
   * is taken first and given back when the rest refuses: never too many pass, and for that moment one too few may.
   */
  async function takeBySlots(demands: readonly LimitDemand[], wanted: readonly number[]) {
    const groups = Map.groupBy(demands, ({ partition = '' }) => partition);
    const ordered = [...groups].sort(([a], [b]) => Number(b === 'total') - Number(a === 'total'));
    const done: { readonly group: readonly LimitDemand[]; readonly taken: Taken }[] = [];
    for (const [, group] of ordered) {
      const taken = await takeTogether(
        group,
        group.map((one) => wanted[demands.indexOf(one)] ?? 1),
      );
      if (!taken.admitted) {
        await Promise.all(done.map((before) => giveBack(before.group, before.taken.calls)));
        return taken;
      }
      done.push({ group, taken });
    }
    const calls = demands.map((demand) => callsOf(done, demand));
    return { admitted: true, calls, tightest: fewest(done.map(({ taken }) => taken.tightest)) } as const;
  }

  async function take(
    demands: readonly LimitDemand[],
    wanted: readonly number[] = [],
  ): Promise<Taken | LimitRefused> {
    if (demands.length === 0) return { admitted: true, calls: [], tightest: null };
    return redis.isCluster ? takeBySlots(demands, wanted) : takeTogether(demands, wanted);
  }

  return {
    name: 'redis',
    isHere: () => false,
    take,
    admit: (demands) => take(demands),
    giveBack: (demand, calls) => giveBack([demand], [calls]),
    isReady: () => redis.isReady(),
    async probe() {
      await redis.run(admitScript, [`${redis.prefix}limits:probe`], [1, 1, 1]);
    },
  };
}

function callsOf(
  done: readonly { readonly group: readonly LimitDemand[]; readonly taken: Taken }[],
  demand: LimitDemand,
): number {
  for (const { group, taken } of done) {
    const at = group.indexOf(demand);
    if (at >= 0) return taken.calls[at] ?? 1;
  }
  return 1;
}

/** @throws TypeError when the store answers what the script cannot say */
function read(answer: unknown, demands: readonly LimitDemand[]): Taken | LimitRefused {
  if (!Array.isArray(answer) || !answer.every(Number.isSafeInteger))
    throw new TypeError('no answer of the script');
  const [refusing = 0, ...rest] = answer as number[];
  if (refusing > 0) {
    const demand = demands[refusing - 1];
    if (demand === undefined) throw new TypeError('no such key');
    return refusedFor(demand, Math.max(1, Math.ceil((rest[0] ?? 0) / microsecondsPerMs)));
  }
  if (rest.length !== demands.length * 2) throw new TypeError('not one answer for each key');
  const allowances = demands.map((demand, at) =>
    isOwn(demand)
      ? allowanceOf(demand, {
          ahead: rest[2 * at + 1] ?? 0,
          pace: paceInMicroseconds(demand.limit),
          perMs: microsecondsPerMs,
        })
      : null,
  );
  return { admitted: true, calls: demands.map((_, at) => rest[2 * at] ?? 1), tightest: fewest(allowances) };
}

function fewest(allowances: readonly (Allowance | null)[]): Allowance | null {
  let least: Allowance | null = null;
  for (const one of allowances) {
    if (one !== null && (least === null || one.remaining < least.remaining)) least = one;
  }
  return least;
}
