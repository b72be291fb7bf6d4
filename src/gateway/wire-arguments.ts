import type { ServerConfig } from '../config/index.ts';
import { type ArgumentsCheck, createArgumentsCheck } from '../policy/index.ts';
import { tellIn } from './events.ts';
import type { Parts } from './wire-parts.ts';

/** The check of arguments against the tools' schemas. That it is off, or cannot do all, is in the audit log. */
export function argumentsCheckFor(
  { name, validateArguments }: ServerConfig,
  { audit, clock, log }: Pick<Parts, 'audit' | 'clock' | 'log'>,
): ArgumentsCheck | null {
  const tell = tellIn(audit, clock);
  if (!validateArguments) {
    tell('arguments.check_off', { data: { server: name } });
    log.warn({ server: name }, 'arguments are not checked against the schemas of the tools');
    return null;
  }
  return createArgumentsCheck(({ tool, refused, reason }) => {
    // The schema is the upstream's text: bounded, and never for a terminal as it is.
    const data = { server: name, tool: tool.slice(0, 128), reason: reason.slice(0, 300) };
    tell(refused ? 'arguments.schema_refused' : 'arguments.schema_partly_checked', { data });
    log.warn(data, 'the input schema of a tool cannot be checked in full');
  });
}
