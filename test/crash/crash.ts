import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, systemClock } from '../../src/base/index.ts';
import { freePort } from '../gateway/support.ts';
import { startIssuer } from '../identity/issuer.ts';
import { startChild } from './child.ts';
import { compare } from './compare.ts';
import { type Answered, type Load, machine, startLoad, weakScopes } from './load.ts';
import { person } from './person.ts';
import type { Disturbance, Place } from './places.ts';
import { startUpstream } from './upstream.ts';

/** What a run of the harness has seen. `faults` must be empty. */
export interface CrashReport {
  readonly rounds: Readonly<Record<string, number>>;
  /** Calls that the upstream saw; answers of the upstream that clients got. */
  readonly seen: number;
  readonly answered: number;
  /** Answers that told of an event, by its name. */
  readonly told: Readonly<Record<string, number>>;
  /** Refusals that clients got, by status. */
  readonly refused: Readonly<Record<number, number>>;
  /** Refusals that were got while the store failed, and those of them whose record died with the gateway. */
  readonly refusedInOutage: number;
  readonly lostInOutage: number;
  /** Calls that a start has told of. */
  readonly orphans: number;
  readonly faults: readonly string[];
}

const longestLifeMs = 1_500;

/**
 * Clients call through a gateway while things go wrong with its store; at a random moment, or in the one in which somebody has read an
 * answer, it is killed (SIGKILL), and started again. Then what the upstream saw and what clients got is held against the trail.
 */
export async function crash(
  place: Place,
  { rounds, progress = () => {} }: { rounds: number; progress?: (round: number) => void },
): Promise<CrashReport> {
  const [upstream, issuer] = await Promise.all([startUpstream(), startIssuer()]);
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-crash-config-'));
  const port = await freePort();
  const file = join(directory, 'portcullis.yaml');
  const secret = join(directory, 'secret');
  await writeFile(secret, machine.secret);
  await writeFile(
    file,
    configuration({ port, place, secret, upstream: upstream.url, issuer: issuer.issuer }),
  );
  const origin = `http://127.0.0.1:${port}`;
  await addPerson(place.dataDir);
  const played: Record<string, number> = {};
  const got: Got = { answers: [], excused: new Set() };
  const faults: string[] = [];
  try {
    for (let at = 0; at < rounds; at += 1) {
      const disturbance = place.disturbances[at % place.disturbances.length] ?? { name: 'killed' };
      played[disturbance.name] = (played[disturbance.name] ?? 0) + 1;
      // One each: a run is longer than a token lives.
      const token = await issuer.sign({ aud: `${origin}/mcp`, scope: weakScopes, jti: `crash-${at}` });
      const round = { file, disturbance, got, begin: loadOn(origin, token) };
      const fault = await playRound(round);
      if (fault) faults.push(fault);
      progress(at + 1);
    }
    const last = await startChild(file);
    last.stop();
    await last.ended;
    const found = await compare(place.store, { seen: upstream.seen, ...witnessed(got) });
    const { lostInOutage, orphans } = found;
    return {
      ...{ rounds: played, seen: upstream.seen.length, ...counted(got), lostInOutage, orphans },
      faults: [...faults, ...found.faults],
    };
  } finally {
    upstream.close();
    await issuer.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function addPerson(dataDir: string): Promise<void> {
  const accounts = openAccounts(dataDir, systemClock);
  await accounts.add({ name: person.name, password: new Secret(person.password), role: 'user' });
  accounts.close();
}

interface Got {
  readonly answers: Answered[];
  /** Those that were got while the store failed. */
  readonly excused: Set<Answered>;
}

const idsOf = (answers: readonly Answered[]) => new Set(answers.map(({ id }) => id));

/** Answers of the server behind have an intent on disk, outage or not. */
function witnessed({ answers, excused }: Got) {
  const held = answers.filter((answer) => !excused.has(answer));
  return {
    answered: idsOf(held.filter(({ kind }) => kind !== 'event')),
    events: idsOf(held.filter(({ kind }) => kind === 'event')),
    excused: idsOf([...excused].filter(({ kind }) => kind === 'refusal')),
  };
}

function counted({ answers, excused }: Got) {
  const of = (wanted: Answered['kind']) => answers.filter(({ kind }) => kind === wanted);
  const refused: Record<number, number> = {};
  for (const { status } of of('refusal')) refused[status] = (refused[status] ?? 0) + 1;
  const told: Record<string, number> = {};
  for (const { id } of of('event')) {
    const [name = ''] = id.split(' ');
    told[name] = (told[name] ?? 0) + 1;
  }
  return {
    ...{ answered: of('of the server').length, told, refused },
    refusedInOutage: of('refusal').filter((answer) => excused.has(answer)).length,
  };
}

function loadOn(origin: string, token: string): Round['begin'] {
  return (onAnswer) => startLoad({ origin, token, onAnswer });
}

interface Round {
  readonly file: string;
  readonly disturbance: Disturbance;
  readonly got: Got;
  begin(onAnswer: (answer: Answered) => void): Load;
}

async function playRound({ file, disturbance, got, begin }: Round): Promise<string | null> {
  const { name, before, during } = disturbance;
  const fault = before ? await playStart(file, { name, before }) : null;
  const child = await startChild(file);
  const answers: Answered[] = [];
  let onNext: () => void = () => {};
  const load = begin((answer) => {
    answers.push(answer);
    onNext();
  });
  await load.serving;
  const life = during ? during() : wait(Math.random() * longestLifeMs);
  // Mostly after what was wrong is right again, sometimes in the middle of it.
  if (Math.random() < 0.3) await wait(Math.random() * longestLifeMs);
  else await life;
  // As soon as somebody has an answer, or whenever it is.
  if (Math.random() < 0.5) onNext = () => child.kill();
  else child.kill();
  await Promise.all([child.ended, life]);
  await load.stop();
  got.answers.push(...answers);
  for (const answer of answers) {
    if (answer.kind !== 'of the server' && child.wasFailing(answer.at)) got.excused.add(answer);
  }
  return fault;
}

/** A store that cannot be written: the gateway must not start. */
async function playStart(
  file: string,
  { name, before }: Required<Pick<Disturbance, 'name' | 'before'>>,
): Promise<string | null> {
  const mend = await before();
  const started = await startChild(file).catch(() => null);
  started?.kill();
  await started?.ended;
  await mend();
  return started ? `${name}: the gateway started` : null;
}

interface Parts {
  readonly port: number;
  readonly place: Place;
  readonly upstream: string;
  readonly issuer: string;
  /** File with the secret of the machine that gets tokens. */
  readonly secret: string;
}

function configuration({ port, place, upstream, issuer, secret }: Parts): string {
  return `publicUrl: http://127.0.0.1:${port}
listen: { host: 127.0.0.1, port: ${port} }
data: ${place.dataDir}
trustedProxies: [127.0.0.1/32]
${place.configuration}servers:
  notes: { path: /mcp, upstream: { url: "${upstream}" } }
auth:
  embedded:
    clients:
      dynamicRegistration: { maxPerHour: 100000, maxPerHourAndAddress: 100000 }
      registered:
        - { id: ${machine.id}, secret: { file: ${secret} }, grants: [client_credentials], scopes: ["mcp:tools:read"] }
  issuers:
    - { issuer: "${issuer}", audience: ["http://127.0.0.1:${port}/mcp"] }
tools:
  - { match: rationed, limit: 1/min }
  - { match: "delete_*", scope: mcp:tools:admin }
  - { match: "*", scope: mcp:tools:read }
limits:
  { client: none, organization: none, address: 100000/s, addressFailures: 100000/s, concurrent: { client: 100, upstream: 100 } }
audit: { checkpoints: { everySeconds: 1, everyRecords: 200 } }
`;
}
