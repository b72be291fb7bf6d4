import type { Row } from './run.ts';

/** The twelve items that a remote server should have before it goes live. */
export const guideItems: readonly string[] = [
  'OAuth 2.1 with PKCE for the authorization code flow',
  'Protected resource metadata is served',
  'Every 401 has WWW-Authenticate with resource_metadata',
  'Tokens are bound to this server: audience required and checked',
  'Tokens are verified by signature or introspection',
  'At least two scopes, checked for each tool',
  'Limits for each client, each tool and each organization',
  'Every call is in the audit log, denials included',
  'No token, header or secret in any log',
  'Secrets come from a manager, none from the repository',
  'HTTPS only',
  'Tried with a wrong token, a wrong audience and a client that asks too much',
];

export interface GuideItem {
  readonly number: number;
  readonly text: string;
  /** `declared`: nothing was seen from outside, but the configuration says so. */
  readonly verdict: 'pass' | 'fail' | 'needs' | 'declared';
  /** Rows that failed, or what is missing to decide. */
  readonly because: string;
}

/** An item fails with any of its rows (notes aside), and passes when all of them do. */
export function guideSummary(rows: readonly Row[]): GuideItem[] {
  return guideItems.map((text, index) => {
    const number = index + 1;
    const own = rows.filter(({ probe }) => probe.guideItems.includes(number));
    return { number, text, ...judge(own) };
  });
}

function judge(own: readonly Row[]): Pick<GuideItem, 'verdict' | 'because'> {
  if (own.length === 0) return { verdict: 'needs', because: 'its rows were not run' };
  const failed = own.filter(isFailure).map(({ probe }) => probe.id);
  if (failed.length > 0) return { verdict: 'fail', because: failed.join(', ') };
  const open = own.filter(({ verdict }) => verdict.verdict === 'not-tested');
  if (open.length > 0) return { verdict: 'needs', because: missing(open) };
  const declared = own.every(({ probe }) => probe.mode === 'declared');
  return { verdict: declared ? 'declared' : 'pass', because: own.map(({ probe }) => probe.id).join(', ') };
}

/** Notes say something worth knowing, and fail nothing. */
function isFailure({ probe, verdict }: Row): boolean {
  if (verdict.verdict !== 'fail') return false;
  return verdict.problems.some(({ severity }) => (severity ?? probe.severity) !== 'info');
}

/** The options that would decide it, and the rows that wait for them. */
function missing(open: readonly Row[]): string {
  const needs = open.map(({ verdict }) => (verdict.verdict === 'not-tested' ? (verdict.needs ?? '') : ''));
  const options = [...new Set(needs.join(' ').match(/--[a-z-]+/g) ?? [])].toSorted();
  const ids = open.map(({ probe }) => probe.id).join(', ');
  return options.length > 0 ? `${options.join(', ')} (${ids})` : ids;
}
