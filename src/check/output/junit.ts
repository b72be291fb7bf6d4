import type { Finding, Report, ReportRow } from '../report.ts';

/** JUnit’s XML, as CI systems read it: each row a test, what was not tested skipped. */
export function junit(report: Report): string {
  const failing = new Map(
    report.findings.filter(({ suppressed }) => suppressed === null).map((one) => [one.row, one]),
  );
  const skipped = report.rows.filter(({ id, verdict }) => verdict !== 'pass' && !failing.has(id)).length;
  // Schemas of JUnit’s readers know skipped for a suite alone, and times without fractions or zones.
  const counts = `tests="${report.rows.length}" failures="${failing.size}" errors="0" time="${report.seconds}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="portcullis check" ${counts}>`,
    `  <testsuite name="${xml(report.target)}" ${counts} skipped="${skipped}" timestamp="${xml(report.at.slice(0, 19))}">`,
    ...report.rows.map((row) => testcase(row, failing.get(row.id))),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testcase(row: ReportRow, finding: Finding | undefined): string {
  const name = `    <testcase classname="portcullis.check.${row.id}" name="${xml(`${row.id} ${row.title}`)}" time="0"`;
  if (row.verdict === 'pass') return `${name}/>`;
  if (finding) {
    const text = [...finding.problems.map((one) => one.text), finding.why, finding.remedy.words].join('\n');
    return `${name}>\n      <failure type="${finding.severity}" message="${xml(row.text)}">${xml(text)}</failure>\n    </testcase>`;
  }
  const why = row.verdict === 'fail' ? 'suppressed' : row.text;
  return `${name}>\n      <skipped message="${xml(why)}"/>\n    </testcase>`;
}

/** XML 1.0 has no way to write most control characters, escaped or not; the report holds none. */
function xml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
    .replace(/[\ufffe\uffff]/g, '\ufffd');
}
