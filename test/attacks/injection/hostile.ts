import assert from 'node:assert/strict';

/** What stands in every hostile text, so that a test knows that it was shown. */
export const marker = 'FORGED';

/** Each does something to a terminal, a log viewer, a spreadsheet or a reader. */
const attacks = [
  `\n${marker} line`,
  `\r${marker} line`,
  '\u001b[2J\u001b[1;1H', // clears the screen
  '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007', // a link that says another address
  '\u001b]52;c;ZXZpbA==\u0007', // the clipboard
  '\u009b31m', // a control sequence in one character
  '\u202egnp.exe\u2066', // turns the direction
  'a\u200bb\ufeff',
  '\u2028\u2029\u0085',
  '\u{e0041}\u{e0020}', // tags, unseen
  '\ufe0f\u3164\u00ad',
  '\u007f\b',
  '\0',
];

/** All of them in one. */
export const hostile = `=cmd|' /C calc'!A0 ${marker}${attacks.join('')}`;
/** What a model or a client can send in JSON beside that. */
export const withLoneSurrogate = `${hostile}\ud800!`;
/** What an HTTP header can carry: Node sends and reads these as Latin-1. */
export const inHeader = `${marker} \u009b31m\u0085 \u00ad!`;

// Written as numbers, so that whoever reads this file sees them.
const unseen = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** Bold, dim, red, and their ends: what `Output` adds for a terminal. */
const ownColours = new RegExp(`${String.fromCharCode(27)}\\[(?:1|2|22|31|39)m`, 'g');

/** A text of lines: nothing that is obeyed or unseen, and no line that is another's. */
export function assertInert(text: string, where: string): void {
  const lines = text.replace(ownColours, '').split('\n');
  for (const line of lines) {
    const found = unseen.exec(line);
    if (found !== null) {
      const code = found[0].codePointAt(0)?.toString(16);
      assert.fail(`${where}: U+${code} in ${JSON.stringify(line.slice(0, 300))}`);
    }
    // Wrapped text goes on in a column of its own, where nothing of ours begins.
    assert.ok(
      !/^ {0,7}\S/.test(line) || !line.trimStart().startsWith(marker),
      `${where}: a line of another: ${line.slice(0, 200)}`,
    );
  }
}

/** One or more lines of JSON, each of which any parser takes and no terminal obeys. */
export function assertInertJson(text: string, where: string): void {
  assert.doesNotMatch(text, /[^\n -~\u00a0-\uffff]/u, where);
  assertInert(text, where);
  for (const line of text.split('\n').filter((one) => one !== '')) JSON.parse(line);
}

/** RFC 4180, with no cell that a spreadsheet takes for a formula. */
export function assertInertCsv(text: string, where: string): void {
  const lines = text.split('\r\n');
  assertInert(lines.join('\n'), where);
  for (const cell of text.matchAll(/(?:^|,|\n)"?([^",]*)/g))
    assert.doesNotMatch(cell[1] ?? '', /^[=+\-@\t\r|%](?!\d)/, `${where}: ${cell[0]}`);
}
