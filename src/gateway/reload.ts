import { type ConfigurationFault, Secret } from '../base/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';

/** Settings that are part of who we are: changing them needs a restart. */
const fixed = ['publicUrl', 'listen', 'data', 'tls'] as const;

export function unreloadable(before: Config, after: Config): ConfigurationFault[] {
  return fixed
    .filter((name) => !isSame(before[name], after[name]))
    .map((name) => ({
      source: 'reload',
      path: name,
      message: 'cannot change while the gateway runs',
      hint: 'restart the gateway to change it',
    }));
}

/** Whether a running upstream serves the new configuration as it is. */
export function isSameServer(before: ServerConfig, after: ServerConfig): boolean {
  return isSame(before, after);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal();
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) =>
    isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
