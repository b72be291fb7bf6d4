import { ConfigurationError, formatFault, messageOf, OperationError } from '../base/index.ts';
import { type ExitCode, exitCodes, UsageError } from './command.ts';
import type { Output } from './output.ts';
import { visible } from './visible.ts';

/** Says what went wrong, in one line, and what to type, in the next. Returns the exit code. */
export function reportFailure(error: unknown, output: Output, json: boolean): ExitCode {
  const exitCode =
    error instanceof UsageError || error instanceof ConfigurationError ? exitCodes.usage : exitCodes.failed;
  if (json) output.json({ ok: false, error: asJson(error) });
  else output.note(asText(error, output));
  return exitCode;
}

function asText(error: unknown, output: Output): string {
  const label = output.bad('error:');
  if (error instanceof ConfigurationError) {
    const lead = error.faults.length === 1 ? '' : `${error.faults.length} faults in the configuration\n`;
    return `${label} ${lead}${visible(error.faults.map(formatFault).join('\n'))}`;
  }
  const hint = hintOf(error);
  return `${label} ${visible(messageOf(error))}${hint ? `\n  ${visible(hint)}` : ''}`;
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
