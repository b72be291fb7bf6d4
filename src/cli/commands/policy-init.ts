import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { OperationError } from '../../base/index.ts';
import { type Config, loadConfig, protectConfig } from '../../config/index.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { draftPolicy } from '../policy-draft.ts';
import { defaultFile } from './serve.ts';

/** `portcullis policy init`: a first policy, from what the servers say of themselves. */
export const policyInit: CommandBody = {
  usage: [
    '[--config FILE] [--server NAME] [--out FILE]',
    '[--out FILE] -- COMMAND [ARGUMENT...]',
    '[--out FILE] URL',
  ],
  words: ['URL'],
  takesRest: true,
  options: {
    config: {
      value: 'FILE',
      help: `servers of this configuration; default ${defaultFile} in this directory`,
    },
    server: { value: 'NAME', help: 'this one alone' },
    env: { value: 'NAME', multiple: true, help: 'pass this environment variable to the command' },
    header: { value: 'NAME=env:VARIABLE', multiple: true, help: 'send this header to the URL' },
    out: { value: 'FILE', help: 'write it there instead of to the terminal; never over a file' },
  },
  notes: 'Starts or asks the server once, for its list of tools, and ends it. Calls none.',
  async run(given, context) {
    const { config, only } = await serversOf(given, context);
    const { createLog, readTools } = await import('../../gateway/index.ts');
    const parts = { clock: context.clock, log: createLog('silent'), environment: context.environment };
    const servers = [];
    for (const server of config.servers.filter(({ name }) => only === undefined || name === only))
      servers.push({ name: server.name, tools: await readTools(server, parts) });
    const text = draftPolicy(servers, config.servers.length > 1);
    const out = given.text('out');
    if (out !== undefined) await writeNew(resolve(context.cwd, out), text, out);
    if (context.json) {
      context.output.json({
        servers: servers.map(({ name, tools }) => ({ name, tools: tools.length })),
        policy: text,
        file: out ?? null,
      });
    } else if (out === undefined) context.output.lines(text.trimEnd());
    else context.output.line(`Wrote ${out}. Put it in place of tools: in the configuration.`);
    return exitCodes.ok;
  },
};

async function serversOf(
  given: Given,
  context: CommandContext,
): Promise<{ config: Config; only: string | undefined }> {
  const { environment, cwd, self } = context;
  const [url] = given.words;
  const only = given.text('server');
  const target = given.rest !== null ? { command: given.rest } : url === undefined ? null : { url };
  if (target === null) {
    const { config } = await loadConfig({ file: given.text('config') ?? defaultFile, environment, cwd });
    if (only !== undefined && !config.servers.some(({ name }) => name === only)) {
      const names = config.servers.map(({ name }) => name).join(' or ');
      throw new UsageError('there is no server of this name', `write --server ${names}`);
    }
    return { config, only };
  }
  const extra = ['config', 'server'].find((option) => given.has(option));
  if (extra !== undefined || (given.rest !== null && url !== undefined) || given.rest?.length === 0) {
    throw new UsageError('name one server', `write ${self} policy init --config FILE, or -- COMMAND, or URL`);
  }
  const options = { target, port: 4180, portGiven: false, environment, cwd };
  const { config } = await protectConfig({
    ...options,
    env: given.list('env'),
    header: given.list('header'),
  });
  return { config, only: undefined };
}

async function writeNew(path: string, text: string, shown: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new OperationError(exists ? `${shown} is there already` : `${shown} cannot be written`, {
      hint: 'name another file with --out FILE',
    });
  }
}
