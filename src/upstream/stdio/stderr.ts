import { type Clock, type Log, neutralLine, type Secret } from '../../base/index.ts';
import { LineSplitter } from './lines.ts';

const readLimit = 64 * 1024;
const shownCharacters = 2000;
const linesPerSecond = 20;
const burst = 100;
const errorWords = /error|exception|cannot|could not|failed|not found|denied/i;

// ECMA-48 control sequences, operating-system commands and two-character escapes
const escapeSequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])/g;

/** A line of a child as it is logged: colours and the like are left out, what is left is made neutral. */
function loggedLine(text: string): string {
  return neutralLine(text.replace(escapeSequences, '').replaceAll('\t', ' '));
}

/** Replaces the given secrets, also in base64 and percent-encoded form and line by line, with `[secret]`. */
export function redactor(secrets: Iterable<Secret>): (text: string) => string {
  const needles = new Set<string>();
  for (const secret of secrets) {
    const value = secret.reveal();
    for (const form of [value, ...value.split(/\r?\n/)].filter((part) => part.length >= 4)) {
      needles.add(form);
      needles.add(encodeURIComponent(form));
      needles.add(Buffer.from(form).toString('base64').replace(/=+$/, ''));
    }
  }
  const longestFirst = [...needles].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((result, needle) => result.replaceAll(needle, '[secret]'), text);
}

export interface StderrOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly fields: object;
  readonly redact: (text: string) => string;
}

/** Sends a child's stderr to the log, bounded in length and rate. All of it is the child's, so it is hostile text. */
export class StderrLog {
  readonly #options: StderrOptions;
  readonly #lines: LineSplitter;
  #tokens = burst;
  #refilledAt: number;
  #dropped = 0;
  #last = '';
  #lastError = '';
  #unread = '';

  constructor(options: StderrOptions) {
    this.#options = options;
    this.#refilledAt = options.clock.monotonic();
    const handler = {
      line: (bytes: Buffer) => this.#write(bytes.toString()),
      tooLong: () => this.#write('[a line beyond 64 KiB was left out]'),
    };
    this.#lines = new LineSplitter(handler, readLimit);
  }

  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  flush(): void {
    this.#lines.flush();
  }

  /** The line that best tells why the child failed, redacted and short; the last one where none speaks of an error. */
  last(): string {
    const unread = this.#clean(this.#unread);
    const best = errorWords.test(unread) ? unread : this.#lastError || unread || this.#last;
    return best.slice(0, 200);
  }

  #write(line: string): void {
    if (!this.#take()) {
      // cleaned when it is asked for: a child must not cost more by writing faster
      this.#unread = line;
      this.#dropped += 1;
      return;
    }
    const text = this.#clean(line);
    if (text === '') return;
    this.#unread = '';
    this.#last = text;
    if (errorWords.test(text)) this.#lastError = text;
    const { log, fields } = this.#options;
    const dropped = this.#dropped;
    this.#dropped = 0;
    log.info(
      dropped > 0 ? { ...fields, stderr: text, dropped } : { ...fields, stderr: text },
      'upstream wrote',
    );
  }

  #clean(line: string): string {
    const { redact } = this.#options;
    // redacted before and after: an escape sequence inside a secret would hide it from the first pass
    return redact(loggedLine(redact(line)))
      .trim()
      .slice(0, shownCharacters);
  }

  #take(): boolean {
    const now = this.#options.clock.monotonic();
    const refill = ((now - this.#refilledAt) / 1000) * linesPerSecond;
    this.#tokens = Math.min(burst, this.#tokens + refill);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
