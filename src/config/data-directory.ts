import { join } from 'node:path';
import { ConfigurationError } from '../base/index.ts';
import type { Environment } from './environment.ts';

/**
 * Where `protect` keeps its stores when nobody says: one directory for each name, so that a token for one server is
 * never taken for a token for another that later listens on the same port.
 * `$XDG_DATA_HOME/portcullis/NAME` (XDG Base Directory Specification), or `~/.portcullis/NAME`.
 */
export function defaultDataDirectory(name: string, environment: Environment): string {
  return join(dataHome(environment), name);
}

/** The directory above them. @throws ConfigurationError where there is no home */
export function dataHome(environment: Environment): string {
  const xdg = environment['XDG_DATA_HOME'];
  if (xdg?.startsWith('/')) return join(xdg, 'portcullis');
  const home = environment['HOME'] || environment['USERPROFILE'];
  if (home) return join(home, '.portcullis');
  throw new ConfigurationError([
    { source: '--data', message: 'there is no home directory to keep data in', hint: 'add --data DIR' },
  ]);
}
