import { unwatchFile, watchFile } from 'node:fs';
import {
  type Clock,
  ConfigurationError,
  faultLines,
  type Log,
  messageOf,
  OperationError,
} from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Gateway, StartFailure } from '../gateway/index.ts';
import {
  type CommandContext,
  type ExitCode,
  exitCodes,
  type Given,
  type OptionSpec,
  UsageError,
} from './command.ts';
import { besideRecords, recordOutput } from './output.ts';
import { announce } from './ready.ts';

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type Level = (typeof levels)[number];

export const gatewayOptions: Readonly<Record<string, OptionSpec>> = {
  'log-level': { value: 'LEVEL', help: `${levels.join(', ')}; default warn on a terminal, else info` },
};

export interface Run {
  /** Reads the configuration: at start, and again at each reload. */
  readonly load: () => Promise<Config>;
  /** File whose change reloads, absolute; null where there is none. */
  readonly watched: string | null;
  /** Whether a server that does not start ends the run: it is the only one, and ours to start. */
  readonly needsServer: boolean;
}

/** Runs a gateway until it is told to stop. */
export async function runGateway(run: Run, given: Given, context: CommandContext): Promise<ExitCode> {
  const { clock, environment, output, json, self } = context;
  const level = logLevel(given, context);
  const config = await run.load();
  // Loaded here and not at the top: `--help` need not wait for it.
  const { createLog, startGateway } = await import('../gateway/index.ts');
  const log = createLog(level);
  const stop = untilStopped(clock);
  const records = config.audit.also.some(({ kind }) => kind === 'stdout');
  const writeOut = records ? { writeOut: recordOutput() } : {};
  const gateway = await startGateway({ config, clock, log, environment, ...writeOut });
  const failures = await firstFailures(gateway, stop);
  if (run.needsServer && failures.length > 0) return failedToStart(gateway, failures);
  const unwatch = reloadOnChange(gateway, run, { log, context });
  // Last: whoever reads it may send signals at once.
  const teller = records ? besideRecords(output) : output;
  announce(gateway, failures, { output: teller, json, self, dataDir: config.data });
  const reason = await stop;
  unwatch();
  if (!json) output.note(`${reason}: letting running calls finish (again: stop at once)`);
  await gateway.close();
  return exitCodes.ok;
}

/** A first `npx -y` may download for long: after this time the gateway is announced all the same. */
const startWithinMs = 10_000;

async function firstFailures(gateway: Gateway, stop: Promise<string>): Promise<readonly StartFailure[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly StartFailure[]>((resolve) => {
    timer = setTimeout(resolve, startWithinMs, []);
  });
  const stopped = stop.then((): readonly StartFailure[] => []);
  const failures = await Promise.race([gateway.started, late, stopped]);
  clearTimeout(timer);
  return failures;
}

async function failedToStart(gateway: Gateway, [failure]: readonly StartFailure[]): Promise<never> {
  await gateway.close();
  throw new OperationError(`the MCP server did not start: ${failure?.detail}`, {
    hint: 'run its command by itself to see what it says; --log-level info shows what it wrote here',
  });
}

function logLevel(given: Given, { output, json }: CommandContext): Level {
  const wished = given.text('log-level');
  if (wished === undefined) return output.interactive && !json ? 'warn' : 'info';
  const level = levels.find((one) => one === wished);
  if (level) return level;
  throw new UsageError('--log-level is no level', `choose from ${levels.join(', ')}`);
}

/** Ctrl+C comes twice where npm stands in between: from the terminal and from npm. Within this time it is one. */
const sameSignalMs = 500;

/** Resolves at the first SIGINT or SIGTERM. The second ends the process at once, with 1. */
function untilStopped(clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    let first: number | null = null;
    const ask = (signal: NodeJS.Signals) => {
      const now = clock.monotonic();
      if (first !== null && now - first > sameSignalMs) process.exit(exitCodes.failed);
      first ??= now;
      resolve(signal);
    };
    process.on('SIGINT', ask);
    process.on('SIGTERM', ask);
  });
}

interface Told {
  readonly log: Log;
  readonly context: CommandContext;
}

/** A change of the file is seen within this time. Polling works on every file system and through symbolic links. */
const pollMs = 1000;

function reloadOnChange(gateway: Gateway, run: Run, told: Told): () => void {
  let queue = Promise.resolve();
  const reload = () => {
    queue = queue.then(() => reloadOnce(gateway, run, told));
  };
  process.on('SIGHUP', reload);
  const { watched } = run;
  if (watched !== null) {
    watchFile(watched, { interval: pollMs, persistent: false }, (now, before) => {
      if (now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino) reload();
    });
  }
  return () => {
    process.off('SIGHUP', reload);
    // A signal that comes during the shutdown must not end the process as an unhandled one would.
    process.on('SIGHUP', () => {});
    if (watched !== null) unwatchFile(watched);
  };
}

/** Never rejects: what cannot be read leaves the old configuration in force. */
async function reloadOnce(gateway: Gateway, run: Run, { log, context }: Told): Promise<void> {
  const { output, json } = context;
  try {
    await gateway.reload(await run.load());
    log.info({}, 'the configuration was reloaded');
    if (!json && output.interactive) output.note('The configuration was reloaded.');
  } catch (error) {
    const faults = error instanceof ConfigurationError ? error.faults.map(faultLines) : [];
    const said = faults.length > 0 ? faults : [[messageOf(error)]];
    const detail = said.map((lines) => lines.join('\n'));
    log.error({ faults: detail }, 'the new configuration was refused; the old one stays in force');
    gateway.refused(detail);
    if (!json && output.interactive) {
      output.note('The new configuration was refused; the old one stays in force.');
      for (const line of said.flat()) output.note(line);
    }
  }
}
