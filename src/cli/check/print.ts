import { neutralJson, neutralLine, neutralLines } from '../../base/index.ts';
import { html, junit, markdown, type Report, sarif, terminalLines } from '../../check/index.ts';
import { type CommandContext, type Given, UsageError } from '../command.ts';
import { faint, type Styled, strong } from '../output.ts';
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
    return writeText(file, `${textOf(report, format).trimEnd()}\n`, context);
  }
  if (format === 'json') output.json(report);
  else if (format !== 'terminal') output.lines(textOf(report, format).trimEnd());
  else for (const line of terminalLines<string | Styled>(report, { strong, faint })) output.line(line);
}

function textOf(report: Report, format: Format): string {
  switch (format) {
    case 'terminal':
      return terminalLines<string>(report, { strong: String, faint: String }).map(neutralLine).join('\n');
    case 'json':
      return neutralJson(JSON.stringify(report, null, 2));
    case 'sarif':
      return neutralJson(JSON.stringify(sarif(report), null, 2));
    case 'junit':
      return neutralLines(junit(report));
    case 'markdown':
      return neutralLines(markdown(report));
    case 'html':
      return neutralLines(html(report));
  }
}
