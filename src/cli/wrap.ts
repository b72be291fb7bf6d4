import { neutralLine } from '../base/index.ts';

const width = 80;

/** Lines of at most 80 columns. A word that is longer, such as a URL, keeps a line of its own: it can be copied. */
export function wrap(text: string, { indent }: { readonly indent: number }): string[] {
  const lines: string[] = [];
  let line = '';
  // Before it is measured: what is written out takes more room.
  for (const word of neutralLine(text).split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one);
}
