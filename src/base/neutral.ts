/**
 * Characters that a terminal obeys, a log viewer breaks lines at, or a reader cannot see: controls, format characters
 * (bidi, zero width, tags), lone surrogates, private and unassigned code points, line separators, fillers and
 * variation selectors.
 */
const unseen = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;
const plain = /^[ -~]*$/;
const plainLines = /^[ -~\n]*$/;

/**
 * Text that can be shown anywhere: each unsafe character becomes visible as `\u001b` or `\u{e0041}`. Backslashes stay
 * as they are, so applying it twice changes nothing; the form is for reading, not for turning back.
 * @param value attacker-controlled text of any length
 * @param limit the longest answer, in UTF-16 units; longer text ends in `…`
 */
export function neutralText(value: string, limit: number): string {
  if (value.length <= limit && plain.test(value)) return value;
  const shown = value.slice(0, limit + 1).replace(unseen, escapeCharacter);
  return shown.length <= limit ? shown : `${cutBetweenCharacters(shown, limit - 1)}…`;
}

/** The same of one line that may be of any length. */
export function neutralLine(text: string): string {
  return plain.test(text) ? text : text.replace(unseen, escapeCharacter);
}

/** The same of text with lines of its own: newlines stay. For what is put together of such lines, never for one value in a line. */
export function neutralLines(text: string): string {
  return plainLines.test(text) ? text : text.replace(unseen, escapeUnlessNewline);
}

/**
 * JSON escapes only the oldest control characters. The others (C1, bidi, zero width, line separators) stand in strings alone, so
 * that their escape says the same to whoever reads the JSON, and nothing to a terminal.
 * @param json as JSON.stringify writes it: a newline in it stands between values, never in one
 */
export function neutralJson(json: string): string {
  if (plainLines.test(json)) return json;
  return json.replace(unseen, (character) => {
    if (character === '\n') return character;
    const units = [...Array(character.length).keys()].map((unit) => character.charCodeAt(unit));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

function escapeUnlessNewline(character: string): string {
  return character === '\n' ? character : escapeCharacter(character);
}

/** Never leaves half of a surrogate pair at the end. */
function cutBetweenCharacters(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
