import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A time in which the audit store of a gateway failed, in milliseconds since the epoch. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** A gateway in a process of its own. */
export interface GatewayChild {
  /** SIGKILL, now; `ended` resolves when it is gone and all that it said has been heard. */
  kill(): void;
  stop(): void;
  readonly ended: Promise<void>;
  /** Whether, as it says, its audit store failed then. */
  wasFailing(at: number): boolean;
}

/** What left before the store was back may be read a little after. */
const slackMs = 250;

/** Rejects when it ends instead of serving. What is compiled is kept beside the configuration: a run starts many. */
export async function startChild(file: string): Promise<GatewayChild> {
  const program = fileURLToPath(new URL('./gateway-child.ts', import.meta.url));
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dirname(file), 'compiled') };
  const child = fork(program, [file], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env });
  const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]).then(() => {});
  const outages = listenTo(child);
  const early = ended.then(() => {
    throw new Error('the gateway did not start');
  });
  await Promise.race([ready(child), early]);
  early.catch(() => {});
  return {
    kill: () => void child.kill('SIGKILL'),
    stop: () => void child.send('stop'),
    ended,
    wasFailing: (at) => outages.some(({ from, to }) => from <= at && at <= to + slackMs),
  };
}

interface Said {
  readonly text: string;
  readonly at: number;
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (said) => {
      if ((said as Said).text === 'ready') resolve();
    });
  });
}

function listenTo(child: ChildProcess): Outage[] {
  const outages: Outage[] = [];
  child.on('message', (said) => {
    const { text, at } = said as Said;
    if (text.startsWith('audit store fails')) outages.push({ from: at, to: Number.POSITIVE_INFINITY });
    const last = outages.at(-1);
    if (text === 'audit store has recovered' && last) outages.splice(-1, 1, { from: last.from, to: at });
  });
  return outages;
}
