import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dataHome, defaultDataDirectory, inspectConfig } from '../config/index.ts';
import { type CommandContext, type Given, type OptionSpec, UsageError } from './command.ts';

/** How a command about a gateway's data is told which gateway. */
export const dataOptions: Readonly<Record<string, OptionSpec>> = {
  data: { value: 'DIR', help: 'data directory of the gateway' },
  config: { value: 'FILE', help: 'read the data directory from this configuration' },
  name: { value: 'NAME', help: 'a server that was protected under this name' },
};

/**
 * The data directory that is meant: named, or the only one there is.
 * @throws UsageError when none or several could be meant, or the one named is not there
 */
export async function findDataDirectory(
  given: Given,
  { cwd, environment }: CommandContext,
  { mayBeNew }: { mayBeNew: boolean } = { mayBeNew: false },
): Promise<string> {
  const named = ['data', 'config', 'name'].filter((option) => given.has(option));
  if (named.length > 1)
    throw new UsageError(`--${named[0]} and --${named[1]} say the same thing twice`, 'keep one');
  const [data, config, name] = [given.text('data'), given.text('config'), given.text('name')];
  const directory = await (async () => {
    if (data !== undefined) return resolve(cwd, data);
    if (config !== undefined) return (await inspectConfig({ file: config, cwd })).data;
    return name === undefined
      ? theOnlyOne(dataHome(environment))
      : defaultDataDirectory(safeName(name), environment);
  })();
  if (!mayBeNew && !existsSync(directory)) {
    throw new UsageError(`there is no gateway data in ${directory}`, 'name the directory with --data DIR');
  }
  return directory;
}

function theOnlyOne(home: string): string {
  const names = existsSync(home)
    ? readdirSync(home, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : [];
  const [only, ...more] = names;
  if (only !== undefined && more.length === 0) return join(home, only);
  throw names.length === 0
    ? new UsageError('no gateway has kept data here yet', 'name the directory with --data DIR')
    : new UsageError(
        `several gateways have kept data in ${home}`,
        `add --name ${names.slice(0, 20).join('|')}, or --data DIR`,
      );
}

/** A name is one step below the data home, never a way out of it. */
function safeName(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return name;
  throw new UsageError('--name is no server name', 'use lower-case letters, digits and hyphens');
}
