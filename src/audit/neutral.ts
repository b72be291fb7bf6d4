/**
 * Characters that a terminal obeys, a log viewer breaks lines at, or a reader cannot see: controls, format characters
 * (bidi, zero width, tags), lone surrogates, private and unassigned code points, line separators, fillers and
 * variation selectors.
 */
const unsafe = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;
const plain = /^[ -~]*$/;

/**
 * Text that can be shown anywhere: each unsafe character becomes visible as `\u001b` or `\u{e0041}`. Backslashes stay
 * as they are, so applying it twice changes nothing; the form is for reading, not for turning back.
 * @param value attacker-controlled text of any length
 * @param limit the longest answer, in UTF-16 units; longer text ends in `…`
 */
export function neutralText(value: string, limit: number): string {
  if (value.length <= limit && plain.test(value)) return value;
  const shown = value.slice(0, limit + 1).replace(unsafe, escapeCharacter);
  return shown.length <= limit ? shown : `${cutBetweenCharacters(shown, limit - 1)}…`;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Never leaves half of a surrogate pair at the end. */
function cutBetweenCharacters(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
