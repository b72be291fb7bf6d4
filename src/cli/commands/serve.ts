import { resolve } from 'node:path';
import { loadConfig } from '../../config/index.ts';
import type { CommandBody } from '../command.ts';
import { gatewayOptions, runGateway } from '../run-gateway.ts';

/** Where a configuration is looked for when nobody says. */
export const defaultFile = 'portcullis.yaml';

/** `portcullis serve`: what a file says. */
export const serve: CommandBody = {
  usage: ['[--config FILE]'],
  options: {
    config: { value: 'FILE', help: `configuration; default ${defaultFile} in this directory` },
    ...gatewayOptions,
  },
  notes:
    'SIGINT or SIGTERM stops after running calls have finished. SIGHUP, or a change of the file, reads it\n' +
    'again; a file with faults leaves the old configuration in force and says so.',
  run(given, context) {
    const { environment, cwd } = context;
    const file = given.text('config') ?? defaultFile;
    const load = async () => (await loadConfig({ file, environment, cwd })).config;
    return runGateway({ load, watched: resolve(cwd, file), needsServer: false }, given, context);
  },
};
