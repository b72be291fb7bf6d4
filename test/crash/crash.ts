import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { allScopes, callTool, freePort } from '../gateway/support.ts';
import { startIssuer } from '../identity/issuer.ts';
import { compare } from './compare.ts';
import type { Disturbance, Place } from './places.ts';
import { startUpstream } from './upstream.ts';

/** What a run of the harness has seen. `faults` must be empty. */
export interface CrashReport {
  readonly rounds: Readonly<Record<string, number>>;
  /** Calls that the upstream saw; answers of the upstream that clients got; refusals that they got. */
  readonly seen: number;
  readonly answered: number;
  readonly refused: number;
  /** Calls that a start has told of. */
  readonly orphans: number;
  readonly faults: readonly string[];
}

const clients = 6;
const longestLifeMs = 1_500;

/**
 * Clients call through a gateway while things go wrong with its store; at a random moment it is killed (SIGKILL), and started again.
 * Then what the upstream saw and what clients got is held against the trail.
 */
export async function crash(
  place: Place,
  { rounds, progress = () => {} }: { rounds: number; progress?: (round: number) => void },
): Promise<CrashReport> {
  const [upstream, issuer] = await Promise.all([startUpstream(), startIssuer()]);
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-crash-config-'));
  const port = await freePort();
  const file = join(directory, 'portcullis.yaml');
  const parts = { port, place, upstream: upstream.url, issuer: issuer.issuer };
  await writeFile(file, configuration(parts));
  const url = `http://127.0.0.1:${port}/mcp`;
  const answers: Answers = { answered: new Set(), refused: 0 };
  const played: Record<string, number> = {};
  const faults: string[] = [];
  try {
    for (let at = 0; at < rounds; at += 1) {
      const disturbance = place.disturbances[at % place.disturbances.length] ?? { name: 'killed' };
      played[disturbance.name] = (played[disturbance.name] ?? 0) + 1;
      // One each: a run is longer than a token lives.
      const token = await issuer.sign({ aud: url, scope: allScopes, jti: `crash-${at}` });
      const fault = await playRound(file, disturbance, () => startLoad(url, token, answers));
      if (fault) faults.push(fault);
      progress(at + 1);
    }
    const last = await start(file);
    last.send('stop');
    await once(last, 'exit');
    const found = await compare(place.store, { seen: upstream.seen, answered: answers.answered });
    const { answered, refused } = answers;
    return {
      ...{ rounds: played, seen: upstream.seen.length, answered: answered.size, refused },
      ...{ orphans: found.orphans, faults: [...faults, ...found.faults] },
    };
  } finally {
    upstream.close();
    await issuer.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function playRound(
  file: string,
  { name, before, during }: Disturbance,
  begin: () => Load,
): Promise<string | null> {
  let fault: string | null = null;
  const mend = await before?.();
  if (mend) {
    const started = await start(file).catch(() => null);
    if (started) {
      fault = `${name}: the gateway started`;
      started.kill('SIGKILL');
      await once(started, 'exit');
    }
    await mend();
  }
  const child = await start(file);
  const load = begin();
  await load.serving;
  const life = during ? during() : wait(Math.random() * longestLifeMs);
  // Mostly after what was wrong is right again, sometimes in the middle of it.
  if (Math.random() < 0.3) await wait(Math.random() * longestLifeMs);
  else await life;
  child.kill('SIGKILL');
  await once(child, 'exit');
  await Promise.all([life, load.stop()]);
  return fault;
}

async function start(file: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./gateway-child.ts', import.meta.url));
  const child = fork(program, [file], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the gateway did not start');
  });
  await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return child;
}

interface Answers {
  readonly answered: Set<string>;
  refused: number;
}

interface Load {
  /** Resolves with the first answer of the upstream; at the latest after some seconds. */
  readonly serving: Promise<void>;
  stop(): Promise<void>;
}

const slowestStartMs = 15_000;

function startLoad(url: string, token: string, answers: Answers): Load {
  let over = false;
  let first: () => void = () => {};
  const serving = new Promise<void>((resolve) => {
    first = resolve;
  });
  const loops = Array.from({ length: clients }, async (_, client) => {
    for (let at = 0; !over; at += 1) {
      try {
        const answer = await callTool(url, token, 'echo', { text: `${client}-${at}` });
        await answer.text();
        if (answer.status === 200) {
          answers.answered.add(answer.headers.get('x-request-id') ?? 'no id');
          first();
        } else {
          answers.refused += 1;
          await wait(20);
        }
      } catch {
        if (!over) await wait(5);
      }
    }
  });
  const late = AbortSignal.timeout(slowestStartMs);
  late.addEventListener('abort', () => first());
  return {
    serving,
    async stop() {
      over = true;
      await Promise.all(loops);
    },
  };
}

interface Parts {
  readonly port: number;
  readonly place: Place;
  readonly upstream: string;
  readonly issuer: string;
}

function configuration({ port, place, upstream, issuer }: Parts): string {
  return `publicUrl: http://127.0.0.1:${port}
listen: { host: 127.0.0.1, port: ${port} }
data: ${place.dataDir}
${place.configuration}servers:
  notes: { path: /mcp, upstream: { url: "${upstream}" } }
auth:
  issuers:
    - { issuer: "${issuer}", audience: ["http://127.0.0.1:${port}/mcp"] }
limits: { client: none, organization: none, address: 100000/s, concurrent: { client: 100, upstream: 100 } }
audit: { checkpoints: { everySeconds: 1, everyRecords: 200 } }
`;
}
