import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { OpenedArguments, StoredRecord } from '../../audit/index.ts';
import { OperationError, readJson } from '../../base/index.ts';
import { auditStoreOf, openStore } from '../audit-store.ts';
import {
  type CommandBody,
  type CommandContext,
  type ExitCode,
  exitCodes,
  type Given,
  UsageError,
} from '../command.ts';
import { dataOptions } from '../data-directory.ts';

/** `portcullis audit open`. */
export const auditOpen: CommandBody = {
  usage: ['REQUEST-ID --key FILE [--data DIR]', '--records FILE --key FILE'],
  words: ['REQUEST-ID'],
  options: {
    key: { value: 'FILE', multiple: true, help: 'private key in PEM or JWK; - reads it from standard input' },
    records: {
      value: 'FILE',
      help: 'exported records, one a line, instead of a store; - for standard input',
    },
    ...dataOptions,
  },
  notes:
    'Says also whether they belong to the record that they stand in, and whether they are what it has the hash of.\n' +
    'That somebody looked is recorded in the store, before anything is shown. With --records it needs no store, so the\n' +
    'key can stay where the gateway is not: portcullis audit export --format jsonl, and take the file there.',
  async run(given, context) {
    const [requestId] = given.words;
    const records = given.text('records');
    if ((requestId === undefined) === (records === undefined))
      throw new UsageError(
        'name one call, or records',
        'write audit open REQUEST-ID --key FILE, or --records FILE',
      );
    const { readAuditorKeys } = await import('../../audit/index.ts');
    const keys = await readAuditorKeys(await keyTexts(given, context));
    if (records !== undefined) return openLines(lineSource(records, given, context), { keys, context });
    return openOne(requestId ?? '', { keys, given, context });
  },
};

type Keys = Awaited<ReturnType<typeof import('../../audit/index.ts')['readAuditorKeys']>>;

const mostKeyBytes = 64 * 1024;

/** From files or standard input: what stands in a command line, everybody on the machine reads. */
async function keyTexts(given: Given, { cwd, stdin }: CommandContext): Promise<string[]> {
  const named = given.list('key');
  if (named === undefined) throw new UsageError('--key is missing', 'write --key auditor.pem');
  const texts: string[] = [];
  for (const name of named) {
    if (/PRIVATE KEY|^\s*\{/.test(name))
      throw new UsageError(
        '--key is a key, not the name of a file',
        'change that key: it stood in a command line',
      );
    const text =
      name === '-' ? await textOf(stdin) : await readFile(resolve(cwd, name), 'utf8').catch(unreadable);
    texts.push(text.slice(0, mostKeyBytes));
  }
  return texts;
}

function unreadable(): never {
  throw new OperationError('the file of the key cannot be read', { hint: 'name the file with --key FILE' });
}

async function textOf(stdin: CommandContext['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

async function openOne(
  requestId: string,
  { keys, given, context }: { readonly keys: Keys; readonly given: Given; readonly context: CommandContext },
): Promise<ExitCode> {
  const { openArguments, readAuditKeys, recordOpening, traceOf } = await import('../../audit/index.ts');
  const place = await auditStoreOf(given, context);
  const source = await openStore(given, context);
  const trace = await traceOf(source, requestId).finally(() => source.close());
  const record = trace?.outcome ?? trace?.intent;
  if (!record)
    throw new OperationError('no call with this id is in the audit log', { hint: 'see audit query' });
  const opened = await openArguments(record, keys, readAuditKeys(place.dataDir).hashing);
  await recordOpening({ ...place, clock: context.clock, by: userInfo().username }, opened);
  await show(opened, context);
  return opened.problem === null ? exitCodes.ok : exitCodes.failed;
}

function lineSource(name: string, given: Given, { cwd, stdin }: CommandContext): () => Promise<Readable> {
  if (name !== '-') return async () => Readable.from([await readFile(resolve(cwd, name))]);
  if (given.list('key')?.includes('-'))
    throw new UsageError('key and records cannot both come from standard input', 'put the key into a file');
  return async () => stdin;
}

async function openLines(
  source: () => Promise<Readable>,
  { keys, context }: { readonly keys: Keys; readonly context: CommandContext },
): Promise<ExitCode> {
  const { openArguments } = await import('../../audit/index.ts');
  const shown = new Set<string>();
  let problems = 0;
  for await (const line of linesOf(await source())) {
    const record = recordIn(line);
    if (!record) continue;
    // Intent and outcome of a call hold the same; what two calls hold is never the same, unless somebody moved it.
    const once = `${record.request_id} ${record.arguments}`;
    if (shown.has(once)) continue;
    if (shown.size === mostRemembered) shown.clear();
    shown.add(once);
    const opened = await openArguments(record, keys, null);
    if (opened.problem !== null) problems += 1;
    await show(opened, context);
  }
  return problems === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Ended by a line feed alone, as JSON lines are: node:readline ends them at U+2028 too, which a JSON text may hold as it is. */
async function* linesOf(source: Readable): AsyncGenerator<string> {
  let parts: string[] = [];
  for await (const chunk of source.setEncoding('utf8')) {
    const [first = '', ...others] = String(chunk).split('\n');
    parts.push(first);
    for (const next of others) {
      yield parts.join('');
      parts = [next];
    }
  }
  yield parts.join('');
}

const mostRemembered = 1_000;

/** Null for what holds nothing encrypted. Whoever wrote the file could have put anything there. */
function recordIn(line: string): StoredRecord | null {
  try {
    const value = readJson(line) as StoredRecord;
    const { request_id, server, timestamp, capture } = value;
    const fits = [request_id, server, timestamp].every((one) => typeof one === 'string');
    return fits && capture === 'encrypted' && typeof value.arguments === 'string' ? value : null;
  } catch {
    return null;
  }
}

const longestShown = 200_000;

async function show(opened: OpenedArguments, { output, json }: CommandContext): Promise<void> {
  const { neutralText } = await import('../../base/index.ts');
  if (json) {
    output.json(opened);
    return;
  }
  const line = (label: string, text: string) =>
    output.line(neutralText(`${label.padEnd(11)}${text}`, longestShown));
  line('call', [opened.request_id, opened.timestamp, opened.server, opened.tool_name].join(' · '));
  if (opened.key_id !== null) line('key', opened.key_id);
  if (opened.arguments !== null) line('arguments', JSON.stringify(opened.arguments));
  if (opened.redacted) line('', 'without fields that a rule leaves out');
  if (opened.cut) line('', 'cut for their size');
  if (opened.matches_hash === true) line('hash', 'they are what the record has the hash of');
  if (opened.problem !== null) line('problem', opened.problem);
}
