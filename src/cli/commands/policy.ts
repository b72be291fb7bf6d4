import { isRefusal } from '../../base/index.ts';
import {
  type CaseHint,
  caseHints,
  inspectConfig,
  type PolicyCase,
  readPolicyCases,
} from '../../config/index.ts';
import { isObject, type JsonObject, parseJson } from '../../protocol/index.ts';
import {
  type CommandBody,
  type CommandContext,
  exitCodes,
  type Given as Typed,
  UsageError,
} from '../command.ts';
import { bad } from '../output.ts';
import { type Answer, askPolicy, type Question } from '../policy-question.ts';
import { defaultFile } from './serve.ts';

const configOption = { value: 'FILE', help: `configuration; default ${defaultFile} in this directory` };

/** `portcullis policy explain`: what would happen to a call, and which line says so. */
export const policyExplain: CommandBody = {
  usage: ['--tool NAME [--scopes SCOPES] [--args JSON] [--server NAME] [--config FILE]'],
  options: {
    tool: { value: 'NAME', help: 'the tool' },
    server: { value: 'NAME', help: 'its server, where there are several' },
    hint: { value: 'HINT', multiple: true, help: `what the server claims of it: ${caseHints.join(', ')}` },
    scopes: { value: 'SCOPES', help: 'of the token, separated by spaces or commas' },
    args: { value: 'JSON', help: 'arguments of the call; default {}' },
    subject: { value: 'ID', help: 'who calls' },
    client: { value: 'ID', help: 'by which client' },
    organization: { value: 'ID', help: 'of which organization' },
    issuer: { value: 'URL', help: 'who issued the token' },
    now: { value: 'TIME', help: 'when, such as 2026-11-25T08:00:00Z; default now' },
    config: configOption,
  },
  notes:
    'Asks the file alone: no server is started, and what it would claim of the tool is taken from --hint. Arguments are not\n' +
    'compared with the schema of the tool. Ends with 0 whatever the answer is.',
  async run(given, context) {
    const config = await inspectConfig({ file: given.text('config') ?? defaultFile, cwd: context.cwd });
    const answer = askPolicy(config, questionOf(given, context));
    if (context.json) context.output.json(answer);
    else for (const line of linesOf(given.text('tool') ?? '', answer)) context.output.line(line);
    return exitCodes.ok;
  },
};

/** `portcullis policy test`: a table of cases. */
export const policyTest: CommandBody = {
  usage: ['CASES [--config FILE]'],
  options: { config: configOption },
  words: ['CASES'],
  notes: 'Ends with 1 if a case does not come out as expected.',
  async run(given, { cwd, clock, output, json }) {
    const file = given.words[0];
    if (file === undefined)
      throw new UsageError('policy test needs a file of cases', 'write policy test cases.yaml');
    const config = await inspectConfig({ file: given.text('config') ?? defaultFile, cwd });
    const cases = await readPolicyCases(file, cwd);
    const results = cases.map((one) => ({
      one,
      ...compare(one, askPolicy(config, caseQuestion(one, clock.now()))),
    }));
    const failed = results.filter(({ differences }) => differences.length > 0);
    if (json) {
      output.json({
        cases: cases.length,
        failed: failed.map(({ one, differences }) => ({ name: one.name, at: one.origin, differences })),
      });
    } else {
      for (const { one, answer, differences } of failed) {
        output.line(bad('failed'), `  ${one.name}  (${one.origin})`);
        for (const { what, expected, got, at } of differences)
          output.line(`        ${what}: expected ${expected}, got ${got}${at ? `  ${at}` : ''}`);
        output.line(`        because ${answer.why}`);
      }
      output.line(`${cases.length - failed.length} of ${cases.length} cases as expected`);
    }
    return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
  },
};

interface Difference {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
  readonly at: string | null;
}

function compare(one: PolicyCase, answer: Answer): { answer: Answer; differences: Difference[] } {
  const given = (name: string) => answer.attributes.find((attribute) => attribute.name === name);
  const got: Record<string, readonly [value: string, at: string | null]> = {
    outcome: [answer.outcome, given(answer.reason === 'unknown_tool' ? 'show' : 'scope')?.origin ?? null],
    show: [answer.show, given('show')?.origin ?? null],
    rule: [given('scope')?.rule ?? 'none', given('scope')?.origin ?? null],
  };
  for (const name of ['scope', 'limit', 'confirm'])
    got[name] = [given(name)?.value ?? 'none', given(name)?.origin ?? null];
  const differences = Object.entries(expectationOf(one.expect)).flatMap(([what, expected]) => {
    const [value, at] = got[what] ?? ['none', null];
    return value === expected ? [] : [{ what, expected: String(expected), got: value, at }];
  });
  return { answer, differences };
}

function expectationOf(expected: PolicyCase['expect']): object {
  if (typeof expected !== 'string') return expected;
  return expected === 'hidden' || expected === 'locked' ? { show: expected } : { outcome: expected };
}

function caseQuestion(one: PolicyCase, now: number): Question {
  return {
    tool: one.tool,
    server: one.server ?? null,
    hints: one.hints,
    args: one.args as JsonObject,
    asking: {
      caller: { ...one.caller, scopes: one.scopes },
      now: one.now === undefined ? now : Date.parse(one.now),
    },
  };
}

const nobody = { subject: '', issuer: '', client: '', organization: '' } as const;

function questionOf(given: Typed, { clock, self }: CommandContext): Question {
  const tool = given.text('tool');
  if (tool === undefined)
    throw new UsageError('policy explain needs a tool', `write ${self} policy explain --tool delete_user`);
  const asked = Object.fromEntries(
    Object.keys(nobody).map((name) => [name, given.text(name) ?? '']),
  ) as Record<keyof typeof nobody, string>;
  const scopes = (given.text('scopes') ?? '').split(/[\s,]+/).filter(Boolean);
  return {
    tool,
    server: given.text('server') ?? null,
    hints: (given.list('hint') ?? []).map(hintOf),
    args: argumentsOf(given.text('args') ?? '{}'),
    asking: { caller: { ...asked, scopes }, now: timeOf(given.text('now')) ?? clock.now() },
  };
}

function hintOf(written: string): CaseHint {
  const hint = caseHints.find((one) => one === written);
  if (hint === undefined)
    throw new UsageError('there is no such hint', `write --hint ${caseHints.join('|')}`);
  return hint;
}

/** As the gateway would read them. */
function argumentsOf(written: string): JsonObject {
  const value = parseJson(Buffer.from(written), 64);
  if (isRefusal(value)) throw new UsageError(`--args: ${value.message}`, `write --args '{"id": 1}'`);
  if (!isObject(value)) throw new UsageError('--args is no JSON object', `write --args '{"id": 1}'`);
  return value;
}

function timeOf(written: string | undefined): number | null {
  if (written === undefined) return null;
  const time = Date.parse(written);
  if (Number.isNaN(time)) throw new UsageError('--now is no time', 'write --now 2026-11-25T08:00:00Z');
  return time;
}

const outcomes: Readonly<Record<Answer['outcome'], string>> = {
  allow: 'allowed',
  confirm: 'allowed once confirmed',
  'step-up': 'refused with 403; the client is asked for the scope',
  deny: 'refused',
};

function linesOf(tool: string, answer: Answer): string[] {
  const row = (label: string, text: string) => `  ${label.padEnd(9)} ${text}`;
  const reason = answer.reason === null ? '' : ` (${answer.reason})`;
  return [
    `${tool} at ${answer.server}: ${outcomes[answer.outcome]}${reason}`,
    row('because', answer.why),
    row('listed', answer.show),
    ...answer.attributes.map(({ name, value, rule, origin }) =>
      row(
        name,
        value === null ? 'no rule says' : `${value.padEnd(22)} ${`${rule}`.padEnd(10)} ${origin ?? ''}`,
      ),
    ),
    ...answer.conditions.map(({ rule, origin, when, holds }) =>
      row(
        'when',
        `${when}  ${typeof holds === 'boolean' ? holds : `cannot be said: ${holds}`}  ${rule}  ${origin ?? ''}`,
      ),
    ),
  ].map((line) => line.trimEnd());
}
