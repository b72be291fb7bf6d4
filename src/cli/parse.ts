import { parseArgs } from 'node:util';
import { didYouMean } from '../base/index.ts';
import { type Command, type Given, type OptionSpec, UsageError } from './command.ts';

/** Options of every command. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { help: 'one line of JSON instead of text' },
  help: { help: 'show this help' },
};

/**
 * Reads the arguments of a command. Values of unknown options are not repeated in messages: they may be secrets.
 * @throws UsageError on the first argument that the command does not know
 */
export function parseCommandLine(command: Command, parameters: readonly string[], self: string): Given {
  const options = { ...commonOptions, ...command.options };
  const readable: Readonly<Record<string, OptionSpec>> = { ...options, h: { help: '' } };
  const { tokens } = parseArgs({
    args: [...parameters],
    options: Object.fromEntries(
      Object.entries(readable).map(([name, spec]) => [name, { type: spec.value ? 'string' : 'boolean' }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const found = new Map<string, string[]>();
  const words: string[] = [];
  let rest: string[] | null = null;
  const help = `${self} ${command.name} --help`;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') {
      if (command.takesRest) rest = parameters.slice(token.index + 1);
    } else if (token.kind === 'positional') (rest === null ? words : []).push(token.value);
    else {
      const name = token.name === 'h' ? 'help' : token.name;
      const value = checkOption({ ...token, name }, { options, help, command, words });
      found.set(name, [...(found.get(name) ?? []), value]);
    }
  }
  if (!found.has('help')) checkWords(command, { words, rest, help });
  checkRepeats(found, options, help);
  return {
    words,
    rest,
    text: (option) => found.get(option)?.at(-1),
    list: (option) => found.get(option),
    has: (option) => found.has(option),
  };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

interface Surroundings {
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly help: string;
  readonly command: Command;
  readonly words: readonly string[];
}

function checkOption(token: OptionToken, { options, help, command, words }: Surroundings): string {
  const spec = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (spec === undefined) {
    if (command.takesRest && words.length > 0) throw missingTerminator(command, help);
    const names = Object.keys(options);
    const near =
      didYouMean(token.name, names) ?? names.find((name) => name.startsWith(`${token.name}-`)) ?? null;
    // Ids are random: one in 64 begins like an option.
    const isWord = !token.rawName.startsWith('--') && command.words !== undefined;
    const otherwise = isWord
      ? `an argument that begins with - goes last, after --; see ${help}`
      : `see ${help}`;
    const hint = near ? `did you mean --${near}?` : otherwise;
    throw new UsageError(`unknown option ${token.rawName}`, hint);
  }
  if (spec.value === undefined) {
    if (token.inlineValue) throw new UsageError(`--${token.name} takes no value`, `write --${token.name}`);
    return '';
  }
  const missing = token.value === undefined || token.value === '';
  if (missing || (!token.inlineValue && token.value !== '-' && token.value?.startsWith('-'))) {
    const isId = /^-[^-]/.test(token.value ?? '');
    const form = isId ? `--${token.name}=${spec.value}` : `--${token.name} ${spec.value}`;
    throw new UsageError(`--${token.name} needs a value`, `write ${form}`);
  }
  return token.value ?? '';
}

function checkWords(
  command: Command,
  { words, rest, help }: { words: readonly string[]; rest: readonly string[] | null; help: string },
): void {
  const expected = command.words ?? [];
  if (words.length > expected.length) {
    if (command.takesRest && rest === null) throw missingTerminator(command, help);
    throw new UsageError(
      `${command.name} takes ${expected.length === 0 ? 'no' : 'fewer'} arguments`,
      `see ${help}`,
    );
  }
}

function missingTerminator(command: Command, help: string): UsageError {
  return new UsageError(
    'the command of the server must follow --',
    `write ${help.replace(/ --help$/, '')} [options] -- program argument (see ${command.name} --help)`,
  );
}

/** The last of two would win silently: one of them was not meant. */
function checkRepeats(
  found: ReadonlyMap<string, readonly string[]>,
  options: Surroundings['options'],
  help: string,
): void {
  for (const [name, values] of found) {
    if (values.length > 1 && options[name]?.value && !options[name]?.multiple) {
      throw new UsageError(`--${name} is given twice`, `keep one; see ${help}`);
    }
  }
}
