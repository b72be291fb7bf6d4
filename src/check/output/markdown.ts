import type { Finding, Report } from '../report.ts';
import { remedyParts } from './terminal.ts';

const signs = { pass: 'pass', fail: '**fail**', needs: 'needs', declared: 'declared' } as const;

/** For an issue, a pull request or a page of documentation. What the server said is quoted, never markup. */
export function markdown(report: Report): string {
  const { summary } = report;
  return [
    `# Check of ${code(report.target)}`,
    '',
    `${summary.passed} passed, ${summary.failed} failed, ${summary.notTested} not tested${summary.suppressed > 0 ? `, ${summary.suppressed} suppressed` : ''}.${report.incomplete === null ? '' : ` Not all was asked: ${report.incomplete}.`}`,
    '',
    '| | before it goes live | | |',
    '|---|---|---|---|',
    ...report.guide.map(
      ({ number, text, verdict, because }) =>
        `| ${number} | ${text} | ${signs[verdict]} | ${verdict === 'pass' ? '' : cell(because)} |`,
    ),
    '',
    ...(report.findings.length === 0 ? [] : ['## Findings', '']),
    ...report.findings.flatMap(linesOfFinding),
    ...report.expiredSuppressions.map(
      ({ row, until, reason }) => `The suppression of ${row} ended on ${until}: ${cell(reason)}`,
    ),
    '## All rows',
    '',
    '| row | question | verdict | |',
    '|---|---|---|---|',
    ...report.rows.map(
      ({ id, title, verdict, text }) => `| ${id} | ${title} | ${verdict.replace('-', ' ')} | ${cell(text)} |`,
    ),
    '',
    `Not to be seen from outside: ${report.cannotBeSeen.join('; ')}.`,
    '',
  ].join('\n');
}

function linesOfFinding({
  row,
  severity,
  title,
  problems,
  evidence,
  why,
  reference,
  remedy,
  suppressed,
}: Finding): string[] {
  return [
    `### ${row}: ${title} (${severity}${suppressed ? ', suppressed' : ''})`,
    '',
    ...problems.map(({ text }) => `- ${cell(text)}`),
    '',
    ...(suppressed ? [`Suppressed until ${suppressed.until}: ${cell(suppressed.reason)}`, ''] : []),
    ...evidence.slice(0, 2).flatMap(({ sent, received }) => [fenced(`${sent}\n\n${received}`), '']),
    `${why} (${reference})`,
    '',
    ...remedyParts(remedy).map(
      ([label, text]) => `- ${label === '' ? cell(text) : `${label}: ${code(text)}`}`,
    ),
    '',
  ];
}

/** Text in a sentence or a table: nothing in it is markup. */
function cell(text: string): string {
  return text
    .replaceAll('\n', ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_{}[\]|#!~@]/g, '\\$&');
}

function code(text: string): string {
  const ticks = '`'.repeat(longestRun(text) + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return ticks + pad + text.replaceAll('\n', ' ') + pad + ticks;
}

function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${text}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}
