/**
 * Edits of JSON as text, so that numbers, escapes and unknown members of the other side stay exactly as they were
 * written. Every function expects text that JSON.parse has already accepted, and reads it in linear time.
 */
export interface Member {
  readonly key: string;
  /** Start of the key's quote. */
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface ObjectEdit {
  readonly remove?: (key: string) => boolean;
  /** Key and JSON text of the value; replaces members of the same key. */
  readonly set?: readonly (readonly [key: string, value: string])[];
}

const quote = 0x22;
const openBrace = 0x7b;
const openBracket = 0x5b;
const backslash = 0x5c;

/** The members of the object that `text` is, in the order written. Duplicate keys are all listed. */
export function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let at = afterSpace(text, afterSpace(text, 0) + 1);
  while (text.charCodeAt(at) === quote) {
    const keyEnd = endOfString(text, at);
    const valueStart = afterSpace(text, afterSpace(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    members.push({ key: keyOf(text, at, keyEnd), start: at, valueStart, valueEnd });
    at = afterSpace(text, valueEnd);
    if (text[at] === ',') at = afterSpace(text, at + 1);
  }
  return members;
}

/** JSON text of the member `key`: the last one, as JSON.parse would choose. Null where there is none. */
export function rawMember(text: string, key: string): string | null {
  const member = membersOf(text).findLast((candidate) => candidate.key === key);
  return member ? text.slice(member.valueStart, member.valueEnd) : null;
}

export function isObjectText(text: string): boolean {
  return text.charCodeAt(afterSpace(text, 0)) === openBrace;
}

/** The object with members removed and set; everything else byte for byte as it was. */
export function editObject(text: string, edit: ObjectEdit): string {
  const replaced = new Set(edit.set?.map(([key]) => key));
  const members = membersOf(text);
  const kept = members.filter(({ key }) => !replaced.has(key) && !edit.remove?.(key));
  if (kept.length === members.length && replaced.size === 0) return text;
  const parts = kept.map(({ start, valueEnd }) => text.slice(start, valueEnd));
  for (const [key, value] of edit.set ?? []) parts.push(`${JSON.stringify(key)}:${value}`);
  return `{${parts.join(',')}}`;
}

/** Applies `edit` to the object in the member `_meta` of `text`, which is made or dropped as needed. */
export function editMeta(text: string, edit: ObjectEdit): string {
  const meta = rawMember(text, '_meta');
  const usable = meta !== null && isObjectText(meta);
  if (!usable && !edit.set?.length) return text;
  const edited = editObject(usable ? meta : '{}', edit);
  if (edited === meta) return text;
  if (edited === '{}') return editObject(text, { remove: (key) => key === '_meta' });
  return editObject(text, { set: [['_meta', edited]] });
}

const lineBreaks = /[\r\n]/g;
const otherBreaks = /[\u0085\u2028\u2029]/g;

/**
 * One line that no reader can take for two. JSON allows CR and LF between tokens only, so they become spaces; NEL,
 * U+2028 and U+2029 can stand inside strings, where node:readline and str.splitlines() would break the line: a caller
 * could smuggle a second, unauthorized message to the child that way.
 */
export function singleLine(text: string): string {
  return text.replace(lineBreaks, ' ').replace(otherBreaks, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function keyOf(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? String(JSON.parse(text.slice(start, end))) : inner;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endOfString(text: string, open: number): number {
  let at = text.indexOf('"', open + 1);
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at === -1 ? text.length : at + 1;
}

function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text.charCodeAt(start - 1) === backslash) start -= 1;
  return (at - start) % 2 === 1;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === quote) return endOfString(text, start);
  if (first === openBrace || first === openBracket) return endOfContainer(text, start);
  let at = start;
  while (at < text.length && !isSpace(text.charCodeAt(at)) && !',]}'.includes(text[at] ?? ',')) at += 1;
  return at;
}

function endOfContainer(text: string, start: number): number {
  const structural = /["{}[\]]/g;
  structural.lastIndex = start;
  let depth = 0;
  for (let match = structural.exec(text); match !== null; match = structural.exec(text)) {
    if (match[0] === '"') structural.lastIndex = endOfString(text, match.index);
    else if (match[0] === '{' || match[0] === '[') depth += 1;
    else depth -= 1;
    if (depth === 0) return match.index + 1;
  }
  return text.length;
}
