import type { CheckContext } from './context.ts';
import type { Exchange } from './exchange.ts';

/** From worst to least. */
export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof severities)[number];

/**
 * What a row needs. `none`: the URL. `token`: a good token. `tokens`: forged ones, or others of the user. `writes`: leave to write,
 * load or call a tool. `declared`: a file, since it cannot be seen from outside.
 */
export type Mode = 'none' | 'token' | 'tokens' | 'writes' | 'declared';

/** One row: one question to a server, one file. */
export interface Probe {
  /** `A01`. Stable: suppressions and reports name it. */
  readonly id: string;
  readonly title: string;
  /** Of a failure, unless the problem says otherwise. */
  readonly severity: Severity;
  readonly mode: Mode;
  /** The clause, advisory or weakness it rests on. */
  readonly reference: string;
  /** Items of the twelve-item checklist that it belongs to. */
  readonly guideItems: readonly number[];
  /** Why a failure matters, for somebody who has not read the clause. */
  readonly why: string;
  readonly remedy: Remedy;
  /** Rows whose failure makes this one meaningless: it is then not tested, and says which. */
  readonly after?: readonly string[];
  /** Asked also where the server answers nothing. */
  readonly beforeAnswers?: true;
  run(context: CheckContext): Promise<Verdict>;
}

/** How to mend it, by what the reader runs. */
export interface Remedy {
  readonly words: string;
  readonly express?: string;
  readonly fastmcp?: string;
  readonly sdk?: string;
  readonly gateway?: string;
  /** The line of a Portcullis configuration that does it, or what it does by itself. */
  readonly portcullis: string;
}

export interface Problem {
  readonly text: string;
  readonly severity?: Severity;
}

interface Seen {
  readonly evidence: readonly Exchange[];
}

/** Never two-valued: what was not tested is not passed. */
export type Verdict =
  | (Seen & { readonly verdict: 'pass'; readonly observed: string })
  | (Seen & { readonly verdict: 'fail'; readonly problems: readonly Problem[] })
  | (Seen & { readonly verdict: 'not-tested'; readonly because: string; readonly needs: string | null });

export function pass(observed: string, evidence: readonly Exchange[] = []): Verdict {
  return { verdict: 'pass', observed, evidence };
}

export function fail(
  problems: Problem | string | readonly Problem[],
  evidence: readonly Exchange[] = [],
): Verdict {
  const list = typeof problems === 'string' ? [{ text: problems }] : [problems].flat();
  return { verdict: 'fail', problems: list, evidence };
}

/** @param needs what to type so that it is tested */
export function notTested(because: string, needs: string | null = null): Verdict {
  return { verdict: 'not-tested', because, needs, evidence: [] };
}

/** A pass where nothing was found, else all that was. */
export function verdictOf(
  problems: readonly Problem[],
  observed: string,
  evidence: readonly Exchange[],
): Verdict {
  return problems.length === 0 ? pass(observed, evidence) : fail(problems, evidence);
}

export function worst(severitiesFound: readonly Severity[]): Severity {
  return severities.find((one) => severitiesFound.includes(one)) ?? 'info';
}
