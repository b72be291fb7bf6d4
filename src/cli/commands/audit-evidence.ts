import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Finding, Guess, Verification } from '../../audit/index.ts';
import { isRefusal, messageOf, OperationError } from '../../base/index.ts';
import type { JsonObject } from '../../protocol/index.ts';
import { auditStoreOf } from '../audit-store.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions } from '../data-directory.ts';

/** `portcullis audit verify`. */
export const auditVerify: CommandBody = {
  usage: ['[--checkpoint FILE] [--key FILE] [--whole-index] [--data DIR]'],
  options: {
    checkpoint: { value: 'FILE', multiple: true, help: 'checkpoints that were saved elsewhere' },
    key: { value: 'FILE', help: 'public keys that were saved elsewhere, one a line' },
    'whole-index': {
      help: "compares all of PostgreSQL's index of values, not 16 places of it: this takes long",
    },
    ...dataOptions,
  },
  notes:
    'Finds entries that were changed, removed, added, moved, cut off or replaced; exit code 1 if there are any.\n' +
    'It cannot find what a gateway in wrong hands left out or made up, nor what was cut off after the newest\n' +
    'checkpoint it is shown. Who can write to the data directory can sign there too: keep checkpoints and the\n' +
    'public key elsewhere.',
  async run(given, context) {
    const { keep: _, ...place } = await auditStoreOf(given, context);
    const { verifyAudit } = await import('../../audit/index.ts');
    const keys = given.text('key');
    const verification = await verifyAudit(place, {
      checkpoints: given.list('checkpoint') ?? [],
      ...(keys === undefined ? {} : { keys }),
      wholeIndex: given.has('whole-index'),
    });
    if (context.json) context.output.json(verification);
    else show(verification, context);
    return verification.ok ? exitCodes.ok : exitCodes.failed;
  },
};

const mostShown = 50;

function show(verification: Verification, { output }: CommandContext): void {
  const { findings, findingCount, entries, chains, checkpoints, orphans, unsealed, removed, valueIndex } =
    verification;
  for (const finding of findings.slice(0, mostShown)) output.line(line(finding));
  if (findingCount > mostShown) output.line(`… and ${findingCount - mostShown} more`);
  const size = `${entries} entries in ${counted(chains.length, 'chain')}`;
  output.line(
    verification.ok
      ? `The audit log is as it was written: ${size}, ${counted(checkpoints, 'saved checkpoint')}.`
      : `The audit log is NOT as it was written: ${counted(findingCount, 'finding')} in ${size}.`,
  );
  if (removed.length > 0) {
    const gone = removed.reduce((sum, { position }) => sum + position, 0);
    output.line(
      `${counted(gone, 'entry', 'entries')} of ${counted(removed.length, 'chain')} went by retention, on record.`,
    );
  }
  if (valueIndex && valueIndex.compared < valueIndex.of) {
    output.line(
      `Of the index of values ${valueIndex.compared} of ${valueIndex.of} stretches were compared: --whole-index compares all.`,
    );
  }
  if (unsealed > 0) {
    output.line(
      `${counted(unsealed, 'entry', 'entries')} after the last checkpoints: nobody has signed for these yet.`,
    );
  }
  if (orphans.length === 0) return;
  output.line(
    `${counted(orphans.length, 'call')} without an outcome (running, or cut off with their gateway):`,
  );
  for (const { requestId } of orphans.slice(0, mostShown)) output.line(`  ${requestId}`);
}

function line({ kind, writer, position, message }: Finding): string {
  const where = writer === null ? '' : ` ${writer}${position === null ? '' : ` at ${position}`}`;
  return `${kind}${where}: ${message}`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `portcullis audit match`. */
export const auditMatch: CommandBody = {
  usage: [
    '--tool NAME --args JSON [--since 7d] [--until TIME] [--data DIR]',
    '--tool NAME --result FILE [--since 7d] [--until TIME] [--data DIR]',
  ],
  options: {
    tool: { value: 'NAME', help: 'of this tool' },
    args: { value: 'JSON', help: 'the arguments, whole; - reads them from standard input' },
    result: {
      value: 'FILE',
      help: 'instead, the body of the answer, byte for byte as it was sent on; - for standard input',
    },
    since: { value: 'TIME', help: 'from then on: 30m, 24h, 7d, or 2026-07-28T10:00:00Z' },
    until: { value: 'TIME', help: 'before then' },
    ...dataOptions,
  },
  notes:
    'The log keeps keyed hashes of the arguments and of the answer. This asks whether a guess is right, and leaves a record\n' +
    'of who asked, about which tool, and how many calls were found; not of the guess.',
  async run(given, context) {
    const tool = given.text('tool');
    if (tool === undefined) throw new UsageError('--tool is missing', 'write --tool create_note');
    const guess = await guessOf(given, context);
    const { keep: _, ...place } = await auditStoreOf(given, context);
    const { formatJsonLine, formatRecord, matchArguments, parseTime } = await import('../../audit/index.ts');
    const time = (option: 'since' | 'until') => {
      const text = given.text(option);
      const now = context.clock.now();
      return text === undefined ? {} : { [option]: parseTime(text, { now, option: `--${option}` }) };
    };
    const question = {
      tool,
      ...guess,
      ...time('since'),
      ...time('until'),
      by: userInfo().username,
    };
    const { found, compared, keyGone } = await matchArguments(place, question, context.clock);
    for (const entry of found)
      context.output.line(context.json ? formatJsonLine(entry) : formatRecord(entry));
    if (!context.json)
      context.output.note(
        `${found.length} of ${counted(compared, 'call')} had ${given.has('result') ? 'this answer' : 'these arguments'}.`,
      );
    if (keyGone > 0) context.output.note(`${counted(keyGone, 'call')} cannot be compared: the key is gone.`);
    return exitCodes.ok;
  },
};

async function guessOf(given: Given, context: CommandContext): Promise<Guess> {
  const file = given.text('result');
  if (file === undefined) return { arguments: await argumentsOf(given, context) };
  if (given.has('args')) throw new UsageError('--args and --result are two questions', 'ask one at a time');
  if (file === '-') return { result: await bytesOf(context.stdin) };
  return {
    result: await readFile(resolve(context.cwd, file)).catch((error: unknown) => {
      throw new OperationError(`cannot read ${file}: ${messageOf(error)}`);
    }),
  };
}

const maxDepth = 64;

async function argumentsOf(given: Given, { stdin }: CommandContext): Promise<JsonObject> {
  const text = given.text('args');
  const hint = `write --args '{"name":"x"}'`;
  if (text === undefined) throw new UsageError('--args is missing', hint);
  // Read as the gateway reads: what it would refuse, no call can have had.
  const { isObject, parseJson } = await import('../../protocol/index.ts');
  const parsed = parseJson(Buffer.from(text === '-' ? await textOf(stdin) : text), maxDepth);
  if (!isRefusal(parsed) && isObject(parsed)) return parsed;
  throw new UsageError('--args is no JSON object', hint);
}

async function textOf(stdin: CommandContext['stdin']): Promise<string> {
  return (await bytesOf(stdin)).toString('utf8');
}

async function bytesOf(stdin: CommandContext['stdin']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/** `portcullis audit keys`. */
export const auditKeys: CommandBody = {
  usage: ['[--rotate] [--data DIR]'],
  options: { rotate: { help: 'sign and hash with new keys from the next start on' }, ...dataOptions },
  notes:
    'Keep the public keys elsewhere: audit verify --key FILE takes them. Old keys stay, so that old entries can be read.',
  async run(given, context) {
    const { keep: _, ...place } = await auditStoreOf(given, context);
    const { publicAuditKeys, readAuditKeys, rotateKeys } = await import('../../audit/index.ts');
    if (given.has('rotate')) await rotateKeys(place, context.clock, userInfo().username);
    const keys = publicAuditKeys(readAuditKeys(place.dataDir));
    if (context.json) context.output.json({ keys });
    else for (const key of keys) context.output.line(key);
    return exitCodes.ok;
  },
};
