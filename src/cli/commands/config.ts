import { type InspectedConfig, inspectConfig, loadConfig } from '../../config/index.ts';
import { type CommandBody, exitCodes } from '../command.ts';
import { defaultFile } from './serve.ts';

const options = {
  config: { value: 'FILE', help: `configuration; default ${defaultFile} in this directory` },
};

/** `portcullis config check`: what `serve` would refuse, without serving. */
export const configCheck: CommandBody = {
  usage: ['[--config FILE]'],
  options: {
    ...options,
    'without-secrets': { help: 'check the file alone, on a machine that does not have its secrets' },
  },
  notes: 'Fetches the secrets as a start would (variables, files, commands), and shows none of them.',
  async run(given, { environment, cwd, output, json }) {
    const file = given.text('config') ?? defaultFile;
    if (!given.has('without-secrets')) await loadConfig({ file, environment, cwd });
    const { servers, notEnforced } = await inspectConfig({ file, cwd });
    if (json) output.json({ ok: true, file, servers, notEnforced });
    else for (const sentence of notEnforced) output.note(`warning: ${sentence}`);
    if (!json) output.line(`${file} is fine. It protects ${servers.join(', ')}.`);
    return exitCodes.ok;
  },
};

/** `portcullis config explain`: every value, and who set it. */
export const configExplain: CommandBody = {
  usage: ['[--config FILE]'],
  options,
  notes: 'Of a secret it shows the reference, never the value; it fetches none.',
  async run(given, { cwd, output, json }) {
    const { explain } = await inspectConfig({ file: given.text('config') ?? defaultFile, cwd });
    if (json) output.json({ values: explain });
    else for (const line of table(explain)) output.line(line);
    return exitCodes.ok;
  },
};

function table(explain: InspectedConfig['explain']): string[] {
  const pathWidth = Math.max(...explain.map(({ path }) => path.length));
  const valueWidth = Math.min(60, Math.max(...explain.map(({ value }) => value.length)));
  return explain.map(
    ({ path, value, origin }) => `${path.padEnd(pathWidth)}  ${value.padEnd(valueWidth)}  ${origin}`,
  );
}
