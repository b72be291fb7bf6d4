// What a limit decision costs: `node --expose-gc bench/limits.ts`. One run, all ways in turn, several rounds each; ratios count.
// Redis is the machine's own redis-server, started here; without one its rows are left out.
import { Secret, silentLog, systemClock } from '../src/base/index.ts';
import {
  createLeases,
  createLimiter,
  createRedisCounters,
  createSharedLimiter,
  type LimitDemand,
  type Limiter,
  limitDemands,
  type RemoteCounters,
} from '../src/limits/index.ts';
import { connectRedis } from '../src/store/index.ts';
import { isRedisInstalled, startRedis } from '../test/support/redis/index.ts';

const rounds = 3;
const wide = { count: 1_000_000_000, periodMs: 60_000, burst: 1_000_000_000 };
const callers = Array.from({ length: 20 }, (_, at) => ({
  issuer: 'https://idp.example.com/realms/acme',
  organization: `organization-${at % 10}`,
  subjectKey: JSON.stringify(['https://idp.example.com/realms/acme', `subject-${at}`]),
}));

function demandsOf(at: number): LimitDemand[] {
  return limitDemands({
    limits: { client: [wide], organization: [wide] },
    decision: {
      allow: true,
      rule: 'tools[0]',
      scopes: [],
      confirm: null,
      limit: { each: [wide], total: [wide] },
      destructive: false,
    } as unknown as Parameters<typeof limitDemands>[0]['decision'],
    principal: callers[at % callers.length] ?? { issuer: '', organization: '', subjectKey: '' },
    server: 'notes',
    tool: 'delete_user',
  });
}

/** Decisions a second of this process's CPU, which other load on the machine does not change: keys included, `lanes` calls at a time. */
async function measure(limiter: Limiter, calls: number, lanes: number): Promise<number> {
  const begun = process.cpuUsage();
  let at = 0;
  const lane = async (): Promise<void> => {
    while (at < calls) {
      const verdict = limiter.admit(demandsOf(at++), performance.now(), 'closed');
      const settled = verdict instanceof Promise ? await verdict : verdict;
      if (!settled.admitted) throw new Error(`refused: ${settled.layer}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const { user, system } = process.cpuUsage(begun);
  return calls / ((user + system) / 1e6);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const sharedBy = (remote: RemoteCounters): Limiter =>
  createSharedLimiter({
    remote,
    local: createLimiter({ maxKeys: 1_000_000 }),
    clock: systemClock,
    onDown: ({ detail }) => print(`down: ${detail}`),
    onRecovered: () => {},
  });

const ways = new Map<string, { limiter: Limiter; calls: number; lanes: number }>();
ways.set('memory', { limiter: createLimiter({ maxKeys: 1_000_000 }), calls: 100_000, lanes: 1 });
const closing: (() => unknown)[] = [];
if (isRedisInstalled) {
  const server = await startRedis();
  const redis = await connectRedis({
    url: new Secret(server.url),
    prefix: 'bench:',
    isCluster: false,
    commandTimeoutMs: 5_000,
    log: silentLog,
  });
  await new Promise<void>((resolve) => redis.onReady(resolve));
  const counters = createRedisCounters(redis);
  const leases = createLeases(counters, { most: 1000, clock: systemClock });
  ways.set('redis, exact, 64 at a time', { limiter: sharedBy(counters), calls: 5_000, lanes: 64 });
  ways.set('redis, exact, one at a time', { limiter: sharedBy(counters), calls: 500, lanes: 1 });
  ways.set('redis, leases', { limiter: sharedBy(leases), calls: 100_000, lanes: 64 });
  closing.push(
    () => leases.close(),
    () => redis.close(),
    () => server.close(),
  );
}

const found = new Map<string, number[]>([...ways.keys()].map((name) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const [name, { limiter, calls, lanes }] of ways) {
    const rate = await measure(limiter, calls, lanes);
    if (round > 0) found.get(name)?.push(rate); // the first is for the compiler
  }
}
const base = median(found.get('memory') ?? []);
print(
  'decision over client, tool, total of the tool and organization, keys included; CPU of this process (median of rounds)',
);
for (const [name, rates] of found) {
  const rate = median(rates);
  print(
    `${name.padEnd(30)} ${(1e6 / rate).toFixed(2).padStart(8)} µs  ${Math.round(rate).toString().padStart(9)}/s  ${(rate / base).toFixed(3)} of memory`,
  );
}
for (const close of closing) await close();

const keys = 1_000_000;
const slow = { count: 10, periodMs: 86_400_000, burst: 10 };
globalThis.gc?.();
const before = process.memoryUsage();
const large = createLimiter({ maxKeys: keys });
for (let at = 0; at < keys; at++) {
  const key = `client:${Buffer.from(String(at).padStart(18, 'x')).toString('base64url')}@60000`;
  large.admit([{ layer: 'client', key, limit: slow }], 0);
}
globalThis.gc?.();
const after = process.memoryUsage();
const used = after.heapUsed + after.external - before.heapUsed - before.external;
print(
  `memory: ${(used / large.size()).toFixed(0)} bytes a key, ${large.size()} keys${globalThis.gc ? '' : ' (run with --expose-gc)'}`,
);
