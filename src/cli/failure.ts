import { ConfigurationError, faultLines, messageOf, OperationError, redact } from '../base/index.ts';
import { type ExitCode, exitCodes, UsageError } from './command.ts';
import { bad, type Output } from './output.ts';

/** Says what went wrong, in one line, and what to type, in the next. Returns the exit code. */
export function reportFailure(error: unknown, output: Output, json: boolean): ExitCode {
  const exitCode =
    error instanceof UsageError || error instanceof ConfigurationError ? exitCodes.usage : exitCodes.failed;
  if (json) output.json({ ok: false, error: asJson(error) });
  else tell(error, output);
  return exitCode;
}

function tell(error: unknown, { note }: Output): void {
  const [first = '', ...more] = linesOf(error);
  note(bad('error:'), ` ${first}`);
  for (const line of more) note(line);
}

function linesOf(error: unknown): string[] {
  if (error instanceof ConfigurationError) {
    const { faults } = error;
    const lead = faults.length === 1 ? [] : [`${faults.length} faults in the configuration`];
    return [...lead, ...faults.flatMap(faultLines)];
  }
  const hint = hintOf(error);
  return [messageOfFailure(error), ...(hint ? [`  ${hint}`] : [])];
}

function asJson(error: unknown): object {
  if (error instanceof ConfigurationError)
    return { message: 'the configuration is wrong', faults: error.faults };
  const hint = hintOf(error);
  return { message: messageOfFailure(error), ...(hint ? { hint } : {}) };
}

/** What a library says may quote what it was given, such as the URL of a store. What was typed was typed here. */
function messageOfFailure(error: unknown): string {
  return error instanceof UsageError ? error.message : redact(messageOf(error));
}

/**
 * What nobody caught ends the process, as it does without this. Node would print every property of the error too, such as the
 * command that a store refused, with the password in it.
 */
export function endOnFault(output: Output): void {
  if (process.listenerCount('uncaughtException') > 0) return;
  process.on('uncaughtException', (error: unknown) => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const line of redact(`a fault of Portcullis: ${stack}`).split('\n')) output.note(line);
    process.exit(exitCodes.failed);
  });
}

function hintOf(error: unknown): string | undefined {
  return error instanceof UsageError || error instanceof OperationError ? error.hint : undefined;
}
