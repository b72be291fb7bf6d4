// Second by second: what calls meet when Redis hangs, goes on, dies and comes back empty. `node bench/limits-outage.ts`.
// Two limiters as two gateways have them, one Redis, a steady load on each; half of the calls may destroy.
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret, silentLog, systemClock } from '../src/base/index.ts';
import {
  createLimiter,
  createRedisCounters,
  createSharedLimiter,
  type Limiter,
} from '../src/limits/index.ts';
import { connectRedis } from '../src/store/index.ts';
import { startRedis } from '../test/support/redis/index.ts';

const callsEachSecond = 400;
const demand = {
  layer: 'client',
  key: 'client:bench',
  limit: { count: 300, periodMs: 1000, burst: 300 },
} as const;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const server = await startRedis();
const notes: string[] = [];
async function gateway(
  name: string,
): Promise<{ limiter: Limiter & { close(): void }; close(): Promise<void> }> {
  const url = new Secret(server.url);
  const redis = await connectRedis({
    url,
    prefix: 'bench:',
    isCluster: false,
    commandTimeoutMs: 250,
    log: silentLog,
  });
  await new Promise<void>((resolve) => redis.onReady(resolve));
  const limiter = createSharedLimiter({
    remote: createRedisCounters(redis),
    local: createLimiter({ maxKeys: 1000 }),
    clock: systemClock,
    onDown: ({ detail }) => notes.push(`${name} down (${detail})`),
    onRecovered: ({ seconds }) => notes.push(`${name} recovered after ${seconds} s`),
  });
  return { limiter, close: () => redis.close() };
}

interface Second {
  admitted: number;
  limited: number;
  closed: number;
  longest: number;
}
let second: Second = { admitted: 0, limited: 0, closed: 0, longest: 0 };
let running = true;

async function load(limiter: Limiter): Promise<void> {
  const pending: Promise<void>[] = [];
  const begun = performance.now();
  for (let sent = 0; running; sent++) {
    pending.push(one(limiter, sent % 2 === 0));
    const due = begun + (sent * 1000) / callsEachSecond;
    await sleep(Math.max(0, due - performance.now()));
  }
  await Promise.all(pending);
}

async function one(limiter: Limiter, mayDestroy: boolean): Promise<void> {
  const begun = performance.now();
  const verdict = await limiter.admit([demand], begun, mayDestroy ? 'closed' : 'local');
  if (verdict.admitted) second.admitted += 1;
  else if (verdict.layer === 'store') second.closed += 1;
  else second.limited += 1;
  second.longest = Math.max(second.longest, performance.now() - begun);
}

const gateways = [await gateway('A'), await gateway('B')];
const loads = gateways.map(({ limiter }) => load(limiter));
const script: Record<number, [string, () => unknown]> = {
  3: ['Redis is stopped (SIGSTOP)', () => server.pause()],
  6: ['Redis goes on (SIGCONT)', () => server.resume()],
  9: ['Redis is killed (SIGKILL)', () => server.kill()],
  12: ['Redis is started, empty', () => void server.restart()],
};
print(
  `limit 300/s of one caller, two gateways with ${callsEachSecond} calls/s each, half of them destructive`,
);
print('second  admitted  over limit  closed  longest ms  what happened');
for (let at = 1; at <= 15; at++) {
  const [what = '', act] = script[at] ?? [];
  await act?.();
  await sleep(1000);
  const { admitted, limited, closed, longest } = second;
  second = { admitted: 0, limited: 0, closed: 0, longest: 0 };
  const told = [what, ...notes.splice(0)].filter(Boolean).join('; ');
  const cells = [at, admitted, limited, closed, Math.round(longest)].map((value, i) =>
    String(value).padStart([6, 9, 11, 7, 11][i] ?? 8),
  );
  print(`${cells.join(' ')}  ${told}`);
}
running = false;
await Promise.all(loads);
for (const { limiter, close } of gateways) {
  limiter.close();
  await close();
}
await server.close();
