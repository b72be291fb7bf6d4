/**
 * Something the operator wrote is wrong. Carries every fault found, so that one run shows them all.
 * The command line prints them and exits with 2.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly faults: readonly ConfigurationFault[];

  constructor(faults: readonly ConfigurationFault[]) {
    super(faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

export interface ConfigurationFault {
  /** File that holds the fault, or the command-line option's name. */
  readonly source: string;
  /** Counted from 1; absent where there is no file. */
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the value, such as `servers.notes.upstream`. */
  readonly path?: string;
  /** What is wrong. Never contains the value of a secret. */
  readonly message: string;
  /** What to type instead. */
  readonly hint?: string;
}

function formatFault(fault: ConfigurationFault): string {
  return faultLines(fault).join('\n');
}

/** What is wrong, and what to type, each to be shown as one line whatever the file holds. */
export function faultLines({ source, line, column, path, message, hint }: ConfigurationFault): string[] {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  return [`${place}:${path ? ` ${path}:` : ''} ${message}`, ...(hint ? [`    ${hint}`] : [])];
}

/** An operation failed for a reason that the person at the terminal can act on. Exit code 1. */
export class OperationError extends Error {
  override readonly name = 'OperationError';
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The message of anything thrown, for private details and logs; never for a reply. */
export function messageOf(error: unknown): string {
  // V8 quotes the text that it could not parse: of a file of keys, or a token, that is a part of a secret.
  if (error instanceof SyntaxError && error.message.endsWith('is not valid JSON')) return 'not valid JSON';
  return error instanceof Error ? error.message : String(error);
}
