import type { Remedy } from '../probe.ts';
import type { Finding, Report, ReportRow } from '../report.ts';
import type { Progress } from '../run.ts';
import { labelled, wrap } from './lines.ts';

/** What stands out, as whoever prints it takes it. */
export interface Style<Line> {
  readonly strong: (text: string) => Line;
  readonly faint: (text: string) => Line;
}

const longestEvidence = 14;

/** A report for people, at most 80 columns wide. The most important comes first. */
export function terminalLines<Line>(report: Report, style: Style<Line>): (string | Line)[] {
  const { summary } = report;
  const suppressed = summary.suppressed > 0 ? `, ${summary.suppressed} suppressed` : '';
  const head = [
    style.strong(report.target),
    `${summary.passed} passed, ${summary.failed} failed, ${summary.notTested} not tested${suppressed}; ${report.requests} requests in ${report.seconds} s`,
    ...(report.incomplete === null ? [] : [`not all was asked: ${report.incomplete}`]),
    '',
  ];
  const isSilent =
    summary.notTested === report.rows.length && report.rows.every(({ needs }) => needs === null);
  if (isSilent) return [...head, ...nothing(report, style)];
  return [
    ...head,
    style.strong('Before it goes live'),
    ...report.guide.flatMap(({ number, text, verdict, because }) => [
      ...labelled(`${String(number).padStart(3)}  ${verdict}`, text, 15),
      ...(verdict === 'pass'
        ? []
        : wrap(verdict === 'needs' ? because : `see ${because}`, { indent: 15 }).map(style.faint)),
    ]),
    '',
    ...(report.findings.length === 0 ? [] : [style.strong('Findings'), '']),
    ...report.findings.flatMap((finding) => linesOfFinding(finding, style)),
    ...report.expiredSuppressions.flatMap(({ row, until, reason }) =>
      wrap(`The suppression of ${row} ended on ${until}: ${reason}`, { indent: 0 }),
    ),
    ...untested(report.rows, style),
    style.strong('Passed'),
    ...report.rows
      .filter(({ verdict }) => verdict === 'pass')
      .flatMap((row) => labelled(`  ${row.id}`, row.title, 8)),
    '',
    ...wrap(`Not to be seen from outside: ${report.cannotBeSeen.join('; ')}.`, { indent: 0 }),
  ];
}

/** A server that is not there, most likely: one reason says it, and no list of what would have been asked. */
function nothing<Line>({ rows }: Report, style: Style<Line>): (string | Line)[] {
  const reasons = new Set(rows.flatMap(({ text }) => (text ? [text] : [])));
  return [
    style.strong('Nothing could be tested'),
    ...[...reasons].slice(0, 3).flatMap((reason) => labelled('  because', reason, 11)),
    ...labelled('  do', 'see that the server runs and that the URL is right', 11),
  ];
}

function linesOfFinding<Line>(finding: Finding, style: Style<Line>): (string | Line)[] {
  const { row, severity, title, problems, why, reference, remedy, evidence, suppressed } = finding;
  return [
    style.strong(`${row}  ${severity}  ${title}${suppressed ? ' (suppressed)' : ''}`),
    ...problems.flatMap(({ text }) => labelled('  found', text, 10)),
    ...(suppressed ? labelled('  but', `${suppressed.reason} (until ${suppressed.until})`, 10) : []),
    ...evidence
      .slice(0, 2)
      .flatMap(({ sent, received }) => [...block('  sent', sent), ...block('  got', received)]),
    ...labelled('  why', why, 10),
    ...labelled('  clause', reference, 10),
    ...remedyLines(remedy),
    '',
  ];
}

function remedyLines(remedy: Remedy): string[] {
  return remedyParts(remedy).flatMap(([label, text], at) =>
    labelled(at === 0 ? '  do' : '', label === '' ? text : `${label}: ${text}`, 10),
  );
}

/** What to do, in general and for each stack. */
export function remedyParts(remedy: Remedy): (readonly [string, string])[] {
  const parts: (readonly [string, string | undefined])[] = [
    ['', remedy.words],
    ['Express', remedy.express],
    ['FastMCP', remedy.fastmcp],
    ['SDK', remedy.sdk],
    ['gateway', remedy.gateway],
    ['Portcullis', remedy.portcullis],
  ];
  return parts.filter((part): part is [string, string] => part[1] !== undefined);
}

/** Text as it was sent: lines are cut, not wrapped, so that each stays what it is. */
function block(label: string, text: string): string[] {
  const all = text.split('\n');
  const lines = all
    .slice(0, longestEvidence)
    .map((line) => (line.length > 70 ? `${line.slice(0, 69)}…` : line));
  const more = all.length > longestEvidence ? ['…'] : [];
  return [...lines, ...more].map((line, at) => (at === 0 ? label : '').padEnd(10) + line);
}

/** Rows with the same reason are said at once. */
function untested<Line>(rows: readonly ReportRow[], style: Style<Line>): (string | Line)[] {
  const open = rows.filter(({ verdict }) => verdict === 'not-tested');
  const groups = Map.groupBy(open, ({ text, needs }) => JSON.stringify([text, needs]));
  if (open.length === 0) return [];
  return [
    style.strong('Not tested'),
    ...[...groups.values()].flatMap((group) => [
      ...group.flatMap(({ id, title }) => labelled(`  ${id}`, title, 8)),
      ...wrap(`because ${group[0]?.text ?? ''}`, { indent: 8 }).map(style.faint),
      ...(group[0]?.needs ? wrap(`give ${group[0].needs}`, { indent: 8 }).map(style.faint) : []),
    ]),
    '',
  ];
}

/** One line for each row while it works. */
export function progressLine({ done, total, row }: Progress): string {
  const { probe, verdict } = row;
  const word = { pass: 'pass', fail: 'FAIL', 'not-tested': '-' }[verdict.verdict];
  return `${String(done).padStart(3)}/${total} ${word.padEnd(5)} ${probe.id} ${probe.title}`.slice(0, 79);
}
