import { readFileSync } from 'node:fs';
import { readJson } from '../base/index.ts';

/** As the package says. */
export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((readJson(manifest) as { version?: unknown }).version);
}
