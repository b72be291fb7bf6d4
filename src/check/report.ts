import { sha256Hex, timestamp } from '../base/index.ts';
import type { Evidence } from './evidence.ts';
import { type GuideItem, guideSummary } from './guide.ts';
import { type Mode, type Remedy, type Severity, severities, worst } from './probe.ts';
import type { Row, Run } from './run.ts';
import { isExpired, type Suppression } from './suppressions.ts';

/** The result of a run as it is printed, in whatever form. Plain data; texts in it are neutral and without credentials. */
export interface Report {
  readonly tool: { readonly name: 'portcullis check'; readonly version: string };
  readonly target: string;
  readonly at: string;
  readonly seconds: number;
  readonly requests: number;
  /** Why the run ended before all was asked: what was not reached is not tested. */
  readonly incomplete: string | null;
  readonly summary: Readonly<Record<'passed' | 'failed' | 'notTested' | 'suppressed', number>>;
  readonly guide: readonly GuideItem[];
  /** Worst first. */
  readonly findings: readonly Finding[];
  readonly rows: readonly ReportRow[];
  /** Suppressions whose day is over: each counts as a failure until it is renewed or taken out. */
  readonly expiredSuppressions: readonly Suppression[];
  /** What no question from outside can answer. */
  readonly cannotBeSeen: readonly string[];
}

export interface Finding {
  /** The same for the same problem at the same URL in every run. */
  readonly id: string;
  readonly row: string;
  readonly title: string;
  readonly severity: Severity;
  readonly problems: readonly { readonly text: string; readonly severity: Severity }[];
  readonly why: string;
  readonly reference: string;
  readonly remedy: Remedy;
  readonly evidence: readonly Evidence[];
  readonly suppressed: Suppression | null;
}

export interface ReportRow {
  readonly id: string;
  readonly title: string;
  readonly mode: Mode;
  readonly severity: Severity;
  readonly reference: string;
  readonly guideItems: readonly number[];
  readonly verdict: 'pass' | 'fail' | 'not-tested';
  /** What was seen, what is wrong, or why it was not tested. */
  readonly text: string;
  /** What to type so that it is tested. */
  readonly needs: string | null;
}

export interface ReportOptions {
  readonly version: string;
  readonly suppressions: readonly Suppression[];
}

export function reportOf(run: Run, { version, suppressions }: ReportOptions): Report {
  const expired = suppressions.filter((one) => isExpired(one, run.at));
  const inForce = suppressions.filter((one) => !expired.includes(one));
  const findings = run.rows
    .filter(({ verdict }) => verdict.verdict === 'fail')
    .map((row) => findingOf(row, run, inForce))
    .toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
  const count = (verdict: string) => run.rows.filter((row) => row.verdict.verdict === verdict).length;
  const suppressed = findings.filter((one) => one.suppressed !== null).length;
  return {
    tool: { name: 'portcullis check', version },
    target: run.target.href,
    at: timestamp(run.at),
    seconds: run.seconds,
    requests: run.requests,
    incomplete: run.incomplete,
    summary: {
      passed: count('pass'),
      failed: count('fail') - suppressed,
      notTested: count('not-tested'),
      suppressed,
    },
    guide: guideSummary(run.rows),
    findings,
    rows: run.rows.map(rowOf),
    expiredSuppressions: expired,
    cannotBeSeen,
  };
}

function findingOf(
  { probe, verdict, evidence }: Row,
  run: Run,
  suppressions: readonly Suppression[],
): Finding {
  const problems = (verdict.verdict === 'fail' ? verdict.problems : []).map(({ text, severity }) => ({
    text,
    severity: severity ?? probe.severity,
  }));
  return {
    id: `${probe.id}-${sha256Hex(`${run.target.href}\n${probe.id}`).slice(0, 12)}`,
    row: probe.id,
    title: probe.title,
    severity: worst(problems.map(({ severity }) => severity)),
    problems,
    why: probe.why,
    reference: probe.reference,
    remedy: probe.remedy,
    evidence,
    suppressed: suppressions.find(({ row }) => row === probe.id) ?? null,
  };
}

function rowOf({ probe, verdict }: Row): ReportRow {
  const text =
    verdict.verdict === 'pass'
      ? verdict.observed
      : verdict.verdict === 'fail'
        ? verdict.problems.map((one) => one.text).join('; ')
        : verdict.because;
  return {
    id: probe.id,
    title: probe.title,
    mode: probe.mode,
    severity: probe.severity,
    reference: probe.reference,
    guideItems: probe.guideItems,
    verdict: verdict.verdict,
    text,
    needs: verdict.verdict === 'not-tested' ? verdict.needs : null,
  };
}

/** Findings that count: not suppressed, and at least as bad as `from`. */
export function countingFindings(report: Report, from: Severity): readonly Finding[] {
  const least = severities.indexOf(from);
  return report.findings.filter(
    ({ suppressed, severity }) => suppressed === null && severities.indexOf(severity) <= least,
  );
}

const cannotBeSeen: readonly string[] = [
  'whether secrets lie in the repository or in a manager',
  'how long the log is kept, and who can change it',
  'whether the caller’s token travels on to what is behind the server',
  'the limit of a whole organization',
  'what the server may reach on its own machine (sandbox)',
  'whether a model obeys instructions in what tools return',
];
