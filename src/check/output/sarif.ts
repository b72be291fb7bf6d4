import type { Severity } from '../probe.ts';
import type { Finding, Report } from '../report.ts';
import { remedyParts } from './terminal.ts';

const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
};

/** GitHub sorts by this number, 0 to 10. */
const scores: Readonly<Record<Severity, string>> = {
  critical: '9.5',
  high: '8.0',
  medium: '5.5',
  low: '3.0',
  info: '0.0',
};

/** SARIF 2.1.0 (OASIS). Rows are rules, findings results; what was not tested is a notification of the run. */
export function sarif(report: Report): object {
  const index = new Map(report.rows.map(({ id }, at) => [id, at]));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: report.tool.name,
            semanticVersion: report.tool.version,
            rules: report.rows.map((row) => ({
              id: row.id,
              name: row.id,
              shortDescription: { text: row.title },
              fullDescription: { text: `${row.title} (${row.reference})` },
              defaultConfiguration: { level: levels[row.severity] },
              properties: {
                'security-severity': scores[row.severity],
                tags: ['security', 'mcp'],
                mode: row.mode,
              },
            })),
          },
        },
        automationDetails: { id: `portcullis-check/${report.target}` },
        invocations: [
          {
            executionSuccessful: report.incomplete === null,
            startTimeUtc: report.at,
            toolExecutionNotifications: report.rows
              .filter(({ verdict }) => verdict === 'not-tested')
              .map(({ id, text, needs }) => ({
                level: 'note',
                descriptor: { id },
                message: { text: `${id} not tested: ${text}${needs ? ` (give ${needs})` : ''}` },
              })),
          },
        ],
        results: report.findings.map((finding) =>
          resultOf(finding, report.target, index.get(finding.row) ?? 0),
        ),
      },
    ],
  };
}

function resultOf(finding: Finding, target: string, ruleIndex: number): object {
  const { row, severity, problems, why, remedy, suppressed } = finding;
  const text = [
    problems.map((one) => one.text).join('; '),
    why,
    ...remedyParts(remedy).map(([label, part]) => (label === '' ? part : `${label}: ${part}`)),
  ].join('\n');
  return {
    ruleId: row,
    ruleIndex,
    level: levels[severity],
    kind: 'fail',
    message: { text },
    // Code scanning wants a file: the endpoint stands for it.
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: uriOf(target) }, region: { startLine: 1 } },
        logicalLocations: [{ fullyQualifiedName: target, kind: 'resource' }],
      },
    ],
    partialFingerprints: { 'portcullisCheck/v1': finding.id },
    properties: { severity, 'security-severity': scores[severity], evidence: finding.evidence },
    ...(suppressed && {
      suppressions: [
        {
          kind: 'external',
          status: 'accepted',
          justification: `${suppressed.reason} (until ${suppressed.until})`,
        },
      ],
    }),
  };
}

function uriOf(target: string): string {
  const { host, pathname } = new URL(target);
  return `${host.replaceAll(':', '_').replace(/[[\]]/g, '')}${pathname}`;
}
