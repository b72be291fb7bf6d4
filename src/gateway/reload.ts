import { type ConfigurationFault, Secret } from '../base/index.ts';
import type { Config } from '../config/index.ts';

/** Settings that are part of who we are: changing them needs a restart. */
const fixed = ['publicUrl', 'listen', 'data', 'tls', 'redis', 'postgres', 'audit', 'telemetry'] as const;

export function unreloadable(before: Config, after: Config): ConfigurationFault[] {
  const changed = fixed.filter((name) => !isSame(before[name], after[name]));
  return changed.map((path) => ({
    source: 'reload',
    path,
    message: 'cannot change while the gateway runs',
    hint: 'restart the gateway to change it',
  }));
}

/** Deep equality of configuration values; secrets by what they hold. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal();
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) =>
    isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
