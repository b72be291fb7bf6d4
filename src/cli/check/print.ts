import { html, junit, markdown, type Report, sarif, terminalLines } from '../../check/index.ts';
import { type CommandContext, type Given, UsageError } from '../command.ts';
import { writeText } from './files.ts';
import { formats } from './options.ts';

export type Format = (typeof formats)[number];

export function formatOf(given: Given, { json }: CommandContext): Format {
  const text = given.text('format') ?? (json ? 'json' : 'terminal');
  const found = formats.find((one) => one === text);
  if (found === undefined)
    throw new UsageError('--format is none that there is', `write one of ${formats.join(', ')}`);
  if (json && found !== 'json') throw new UsageError('--json and --format say two things', 'keep one');
  return found;
}

/** Writes the report where it was wanted. Texts of the server in it are neutral already. */
export async function printReport(
  report: Report,
  format: Format,
  given: Given,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const file = given.text('output');
  if (file !== undefined) {
    const plain = { strong: (text: string) => text, faint: (text: string) => text };
    return writeText(file, `${textOf(report, format, plain).trimEnd()}\n`, context);
  }
  if (format === 'json') output.json(report);
  else output.line(textOf(report, format, output).trimEnd());
}

function textOf(report: Report, format: Format, style: Parameters<typeof terminalLines>[1]): string {
  switch (format) {
    case 'terminal':
      return terminalLines(report, style).join('\n');
    case 'json':
      return JSON.stringify(report, null, 2);
    case 'sarif':
      return JSON.stringify(sarif(report), null, 2);
    case 'junit':
      return junit(report);
    case 'markdown':
      return markdown(report);
    case 'html':
      return html(report);
  }
}
