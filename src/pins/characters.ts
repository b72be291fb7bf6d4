/**
 * Characters that a person who reviews a definition does not see, or takes for others, while a model reads them: tags, bidirectional
 * controls, zero-width and filling characters, variation selectors, terminal controls, private use (Unicode TR 36 and TR 39).
 */
const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** Most texts: nothing in them to look for, character by character. */
const plain = /^[ -~\n\t\r]*$/;

/** Where such a character belongs: between the parts of an emoji, after one, or in scripts that join by it. */
const emoji = /[\p{Extended_Pictographic}\p{Emoji_Component}]$/u;
const emojiAhead = /^\p{Extended_Pictographic}/u;
const joining =
  /[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Malayalam}\p{Script=Sinhala}]$/u;

/** @returns code points such as `U+200B`, each once, at most eight */
export function hiddenCharacters(text: string): string[] {
  if (plain.test(text)) return [];
  const found = new Set<string>();
  for (const match of text.matchAll(hidden)) {
    if (isOrdinary(match[0], text, match.index)) continue;
    found.add(`U+${(match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
    if (found.size === 8) break;
  }
  return [...found];
}

function isOrdinary(character: string, text: string, at: number): boolean {
  if (character === '\n' || character === '\t' || character === '\r') return true;
  const before = text.slice(Math.max(0, at - 4), at);
  if (character === '\ufe0f' || character === '\ufe0e') return emoji.test(before);
  if (character === '\u200d' && emojiAhead.test(text.slice(at + 1))) return emoji.test(before);
  return (character === '\u200d' || character === '\u200c') && joining.test(before);
}

function withoutHidden(text: string): string {
  if (plain.test(text)) return text.replace(/[\n\t\r]/g, ' ');
  return text.replace(hidden, (character) => (/[\n\t\r]/.test(character) ? ' ' : ''));
}

/** Letters of other scripts that look like Latin ones, and the Latin one. A selection of Unicode's confusables. */
const lookAlikes: ReadonlyMap<string, string> = new Map(
  [
    ['аɑα', 'a'],
    ['ЬƄ', 'b'],
    ['сϲ', 'c'],
    ['ԁ', 'd'],
    ['еҽ', 'e'],
    ['ɡ', 'g'],
    ['һ', 'h'],
    ['іıι', 'i'],
    ['ј', 'j'],
    ['кκ', 'k'],
    ['ӏ', 'l'],
    ['м', 'm'],
    ['пո', 'n'],
    ['оοօ', 'o'],
    ['рρ', 'p'],
    ['ԛ', 'q'],
    ['г', 'r'],
    ['ѕ', 's'],
    ['тτ', 't'],
    ['υս', 'u'],
    ['νѵ', 'v'],
    ['ѡԝ', 'w'],
    ['хχ', 'x'],
    ['уγ', 'y'],
    ['АΑ', 'a'],
    ['ВΒ', 'b'],
    ['С', 'c'],
    ['ЕΕ', 'e'],
    ['НΗ', 'h'],
    ['ІΙ', 'i'],
    ['Ј', 'j'],
    ['КΚ', 'k'],
    ['МΜ', 'm'],
    ['Ν', 'n'],
    ['ОΟ', 'o'],
    ['РΡ', 'p'],
    ['Ѕ', 's'],
    ['ТΤ', 't'],
    ['ХΧ', 'x'],
    ['ҮΥ', 'y'],
    ['Ζ', 'z'],
  ].flatMap(([letters = '', latin = '']) => [...letters].map((letter): [string, string] => [letter, latin])),
);

/** The text as its letters look: compatibility forms and look-alikes become the Latin letters that they pass for. */
export function asItLooks(text: string): string {
  if (plain.test(text)) return withoutHidden(text);
  return [...withoutHidden(text).normalize('NFKC')].map((one) => lookAlikes.get(one) ?? one).join('');
}

/** A word of Latin letters with a look-alike among them. @returns the first such word */
export function mixedWord(text: string): string | null {
  if (plain.test(text)) return null;
  for (const [word] of text.matchAll(/[\p{L}\p{M}\d_]{2,64}/gu)) {
    if (
      /\p{Script=Latin}/u.test(word) &&
      [...word].some((one) => lookAlikes.has(one) && !/\p{Script=Latin}/u.test(one))
    )
      return word;
  }
  return null;
}

/** A name as it is taken for another: look-alikes, letter case, separators, and digits that look like letters do not count. */
export function nameSkeleton(name: string): string {
  const plain = asItLooks(name)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
  return plain.replaceAll('0', 'o').replaceAll('1', 'l');
}
