/** Lines of at most `width` columns after an indent. A word that is longer keeps a line of its own. */
export function wrap(text: string, { indent, width = 80 }: { indent: number; width?: number }): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replaceAll('\n', ' ').split(' ').filter(Boolean)) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one);
}

/** A label in its column, and the text beside it. */
export function labelled(label: string, text: string, column: number): string[] {
  const [first = '', ...rest] = wrap(text, { indent: column });
  return [label.padEnd(column) + first.trimStart(), ...rest];
}
