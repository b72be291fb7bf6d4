import { isObject, type JsonObject } from '../protocol/index.ts';
import { hiddenCharacters, mixedWord } from './characters.ts';
import { type CueMatch, cuesIn, isGreedy } from './cues.ts';
import type { Definition } from './definition.ts';
import { type Finding, finding } from './finding.ts';
import { isSame, schemaChanges } from './schema-change.ts';
import { type Text, textsOf } from './texts.ts';

/** This many new words may come with a correction; more is another text, which somebody should read. */
const fewWords = 16;

/**
 * What there is to say of a definition that nobody has pinned yet. Only what no honest server writes is graded high: the first
 * contact is otherwise trusted, and recorded.
 */
export function gradeFirst({ tool, name }: Definition): Finding[] {
  const texts = textsOf(tool);
  return [
    ...nameFindings(name),
    ...texts.flatMap(({ text, path }) => hiddenFindings(text, path)),
    ...texts.flatMap(({ text, path }) =>
      cuesIn(text)
        .filter(({ kind, plain }) => plain || kind !== 'reference')
        .map((cue) => cueFinding(cue, path, cue.plain ? 'high' : 'low')),
    ),
    ...greedyParameters(tool),
  ].slice(0, maxFindings);
}

/**
 * How a definition differs from the one that a person or the first contact vouched for. Compared with that one always, never with
 * the last one seen: many small steps are one large one.
 */
export function gradeChange(before: Definition, after: Definition): Finding[] {
  if (before.hash === after.hash) return [];
  const [old, now] = [before.tool, after.tool];
  return [
    ...capabilityChanges(old, now),
    ...newInTexts(textsOf(old), textsOf(now)),
    ...wordingChanges(textsOf(old), textsOf(now)),
    ...schemaChanges(old['inputSchema'], now['inputSchema'], 'inputSchema'),
    ...schemaChanges(old['outputSchema'], now['outputSchema'], 'outputSchema').map((one) => ({
      ...one,
      grade: 'low' as const,
    })),
    ...metadataChanges(old, now),
  ].slice(0, maxFindings);
}

const maxFindings = 64;

function nameFindings(name: string): Finding[] {
  const mixed = mixedWord(name);
  return mixed === null
    ? []
    : [finding('high', 'invisible', 'name', `${mixed} mixes letters that look alike`)];
}

function hiddenFindings(text: string, path: string): Finding[] {
  const hidden = hiddenCharacters(text);
  return hidden.length === 0 ? [] : [finding('high', 'invisible', path, hidden.join(' '))];
}

function cueFinding({ kind, text }: CueMatch, path: string, grade: Finding['grade']): Finding {
  return finding(grade, kind, path, `“${text.slice(0, 120)}”`);
}

function greedyParameters(tool: JsonObject): Finding[] {
  const schema = tool['inputSchema'];
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {};
  return Object.keys(properties)
    .filter(isGreedy)
    .map((name) =>
      finding('low', 'exfiltration', `inputSchema.properties.${name}`, 'asks for what the model knows'),
    );
}

/** Effective values: absent hints have the defaults of MCP's ToolAnnotations. */
const hints = { readOnlyHint: false, destructiveHint: true, openWorldHint: true } as const;

/** Either way: a rule by hint lets in whoever may only read, so the claim to be harmless is as grave as the contrary. */
function capabilityChanges(old: JsonObject, now: JsonObject): Finding[] {
  const [before, after] = [annotationsOf(old), annotationsOf(now)];
  const flipped = Object.entries(hints).flatMap(([hint, fallback]): Finding[] => {
    const [was, is] = [before[hint] ?? fallback, after[hint] ?? fallback];
    return was === is
      ? []
      : [finding('high', 'capability', `annotations.${hint}`, `was ${String(was)}, is ${String(is)}`)];
  });
  const idempotent = (before['idempotentHint'] ?? false) !== (after['idempotentHint'] ?? false);
  return idempotent
    ? [...flipped, finding('low', 'capability', 'annotations.idempotentHint', 'is another')]
    : flipped;
}

function annotationsOf(tool: JsonObject): JsonObject {
  return isObject(tool['annotations']) ? tool['annotations'] : {};
}

/** Cues and hidden characters that the pinned definition does not have. */
function newInTexts(old: readonly Text[], now: readonly Text[]): Finding[] {
  const known = new Set(
    old.flatMap(({ text }) => cuesIn(text).map(({ kind, text: found }) => `${kind} ${found}`)),
  );
  const knownTexts = new Set(old.map(({ text }) => text));
  return now
    .filter(({ text }) => !knownTexts.has(text))
    .flatMap(({ text, path }) => {
      const mixed = mixedWord(text);
      return [
        ...hiddenFindings(text, path),
        ...(mixed === null
          ? []
          : [finding('high', 'invisible', path, `${mixed} mixes letters that look alike`)]),
        ...cuesIn(text)
          .filter(({ kind, text: found }) => !known.has(`${kind} ${found}`))
          .map((cue) => cueFinding(cue, path, 'high')),
      ];
    });
}

function wordingChanges(old: readonly Text[], now: readonly Text[]): Finding[] {
  const before = new Map(old.filter(({ prose }) => prose).map(({ path, text }) => [path, text]));
  const after = new Map(now.filter(({ prose }) => prose).map(({ path, text }) => [path, text]));
  const changed = [...after].filter(([path, text]) => before.get(path) !== text);
  const gone = [...before.keys()].filter((path) => !after.has(path));
  const added = addedWords([...before.values()], [...after.values()]);
  const findings = [
    ...changed.map(([path]) =>
      finding('low', 'wording', path, before.has(path) ? 'is worded otherwise' : 'is new'),
    ),
    ...gone.map((path) => finding('low', 'wording', path, 'is gone')),
  ];
  if (added.length <= fewWords) return findings;
  return [
    finding('high', 'rewritten', changed[0]?.[0] ?? 'description', `${added.length} new words`),
    ...findings,
  ];
}

/** Words that come more often than they did. A text without spaces counts by its characters. */
function addedWords(old: readonly string[], now: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const word of old.flatMap(wordsOf)) left.set(word, (left.get(word) ?? 0) + 1);
  return now.flatMap(wordsOf).filter((word) => {
    const count = left.get(word) ?? 0;
    if (count > 0) left.set(word, count - 1);
    return count === 0;
  });
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{Script=Latin}\p{M}\p{N}'’]{1,24}|[\p{L}\p{So}]{1,3}/gu) ?? [];
}

const graded: ReadonlySet<string> = new Set(['name', 'title', 'description', 'inputSchema', 'outputSchema']);

function metadataChanges(old: JsonObject, now: JsonObject): Finding[] {
  const keys = new Set([...Object.keys(old), ...Object.keys(now)]);
  return [...keys]
    .filter((key) => !graded.has(key) && key !== 'annotations' && !isSame(old[key], now[key]))
    .map((key) => finding('low', 'metadata', key, now[key] === undefined ? 'is gone' : 'is another'));
}
