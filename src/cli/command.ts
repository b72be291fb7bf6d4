import type { Readable } from 'node:stream';
import type { Clock } from '../base/index.ts';
import type { Environment } from '../config/index.ts';
import type { Output } from './output.ts';

/** Exit codes, stable: scripts depend on them. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, untestable: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface OptionSpec {
  /** What stands for the value in the help; absent for a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  readonly help: string;
}

/** A command as its file gives it; `command-table.ts` has its name. */
export interface CommandBody {
  /** Lines after `portcullis NAME`. */
  readonly usage: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Names of the words beside options; more are refused. After `--` words may begin with `-`; with `takesRest` it begins `rest`. */
  readonly words?: readonly string[];
  readonly takesRest?: boolean;
  readonly notes?: string;
  /** What the exit codes say, where they say more than elsewhere. */
  readonly exitCodes?: string;
  run(given: Given, context: CommandContext): Promise<ExitCode>;
}

export interface Command extends CommandBody {
  /** `audit tail`. */
  readonly name: string;
  readonly summary: string;
}

/** What was typed, after checking against the command's options. */
export interface Given {
  readonly words: readonly string[];
  /** What follows `--`; null where there is no `--`. */
  readonly rest: readonly string[] | null;
  text(option: string): string | undefined;
  list(option: string): readonly string[] | undefined;
  has(option: string): boolean;
}

export interface CommandContext {
  readonly output: Output;
  readonly environment: Environment;
  readonly cwd: string;
  readonly clock: Clock;
  readonly stdin: Readable & { isTTY?: boolean; setRawMode?: (mode: boolean) => unknown };
  /** How the reader can call us again: `portcullis` or `npx portcullis`. */
  readonly self: string;
  readonly json: boolean;
}

/** What was typed cannot be meant. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
