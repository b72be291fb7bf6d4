import type { Finding } from './faults.ts';
import { fits, walk } from './walk.ts';

/**
 * What later versions will read. A security setting that is silently ignored is a hole, so each is refused by name.
 */
const later: Readonly<Record<string, string>> = {
  approvals: 'approvals',
  encryption: 'encryption of the store',
  console: 'the settings of the console',
  'auth.embedded.encryption': 'encryption of keys',
  'servers.*.pins': 'pinning of tool definitions',
  'servers.*.assertion': 'signed assertions to the upstream',
  'tools.*.roles': 'rules by role',
};

/** The same for single values of keys that are known. */
const laterValues: readonly { path: string; values: readonly string[]; use: string }[] = [];

/** Finds what this version would have to ignore. */
export function findUnsupported(raw: unknown): Finding[] {
  const patterns = Object.entries(later);
  return [...walk(raw)].flatMap(({ path, value }): Finding[] => {
    const key = patterns.find(([pattern]) => fits(path, pattern));
    if (key) return [{ path, message: `is not in this version (${key[1]})`, hint: 'remove it' }];
    const known = laterValues.find((one) => fits(path, one.path) && one.values.includes(String(value)));
    return known
      ? [{ path, message: `${String(value)} is not in this version`, hint: `write ${known.use}` }]
      : [];
  });
}
