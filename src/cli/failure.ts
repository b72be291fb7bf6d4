import { ConfigurationError, faultLines, messageOf, OperationError } from '../base/index.ts';
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
  return [messageOf(error), ...(hint ? [`  ${hint}`] : [])];
}

function asJson(error: unknown): object {
  if (error instanceof ConfigurationError)
    return { message: 'the configuration is wrong', faults: error.faults };
  const hint = hintOf(error);
  return { message: messageOf(error), ...(hint ? { hint } : {}) };
}

function hintOf(error: unknown): string | undefined {
  return error instanceof UsageError || error instanceof OperationError ? error.hint : undefined;
}
