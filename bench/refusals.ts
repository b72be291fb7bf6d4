// What a flood of strangers costs callers and itself, where each refusal waits for its record and where none does:
// `node bench/refusals.ts [calls] [rounds]`. Needs wrk. Two gateways in processes of their own, in turn; ratios count.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Candidate, median, openGateways } from './gateways.ts';

const calls = Number(process.argv[2] ?? 300);
const rounds = Number(process.argv[3] ?? 5);
const strangers = 100;
const say = (text: string) => process.stdout.write(`${text}\n`);

interface Flood {
  /** Resolves with refusals a second. */
  readonly over: Promise<number>;
  stop(): void;
}

function flood(url: string): Flood {
  const child = spawn('wrk', ['-t1', `-c${strangers}`, '-d60s', url], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const over = once(child, 'close').then(() =>
    Number(/Requests\/sec: +([\d.]+)/.exec(text)?.[1] ?? Number.NaN),
  );
  return { over, stop: () => void child.kill('SIGINT') };
}

async function residentMegabytes({ child }: Candidate): Promise<number> {
  child.send('memory');
  const [{ rss }] = (await once(child, 'message')) as [NodeJS.MemoryUsage];
  return rss / 1e6;
}

const gateways = await openGateways();
try {
  const lines = ['audit: { durability: strict }'];
  const candidates = [
    await gateways.start('at once', lines, 'settling'),
    await gateways.start('once on disk', lines),
  ];
  const found = candidates.map(
    () => [] as { alone: number; speed: number; refused: number; memory: number }[],
  );
  for (const candidate of candidates) await gateways.run(candidate, { calls: 1_000, lanes: 8 }); // warm
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, candidate] of candidates.entries()) {
      const alone = (await gateways.run(candidate, { calls, lanes: 1 })).callsPerSecond;
      const strangersFlood = flood(candidate.url);
      const speed = (await gateways.run(candidate, { calls, lanes: 1 })).callsPerSecond;
      strangersFlood.stop();
      const refused = await strangersFlood.over;
      found[at]?.push({ alone, speed, refused, memory: await residentMegabytes(candidate) });
    }
  }
  say(`a lone caller, ${calls} calls a round, ${strangers} strangers; median of ${rounds} rounds`);
  for (const [at, { name }] of candidates.entries()) {
    const own = found[at] ?? [];
    const of = (read: (one: (typeof own)[number]) => number) => median(own.map(read));
    say(
      `  refused ${name.padEnd(12)} ${of(({ refused }) => refused).toFixed(0)} refusals/s  a call takes ` +
        `${of(({ alone }) => 1_000 / alone).toFixed(2)} ms without them, ${of(({ speed }) => 1_000 / speed).toFixed(2)} ms with  ` +
        `${of(({ memory }) => memory).toFixed(0)} MB resident after`,
    );
  }
} finally {
  await gateways.close();
}
