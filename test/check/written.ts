import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Report } from '../../src/check/index.ts';

const folder = join(resolve(import.meta.dirname, '../..'), 'docs', 'check');

/** `A01 pass` for each row of a report that `scripts/check-reports.ts` wrote. */
export function writtenVerdicts(name: string): string[] {
  const page = readFileSync(join(folder, `${name}.md`), 'utf8');
  return [...page.matchAll(/^\| ([A-Z]\d\d) \|[^|]*\| (pass|fail|not tested) \|/gm)].map(
    ([, id, verdict]) => `${id} ${verdict}`,
  );
}

export function verdictsOf(report: Report): string[] {
  return report.rows.map(({ id, verdict }) => `${id} ${verdict.replace('-', ' ')}`);
}
