import type { ServerResponse } from 'node:http';
import type { SignInResult } from './accounts/index.ts';
import { endPage, signInPage } from './pages/index.ts';

export interface FailedSignIn {
  readonly result: Exclude<SignInResult, { ok: true }>;
  readonly action: string;
  readonly cancelAction: string | null;
  readonly csrf: string;
  readonly clientName: string | null;
  readonly name: string;
  readonly formTargets: readonly string[];
}

/** The sign-in page again. Says the same for an unknown name and a wrong password. */
export function endFailedSignIn(res: ServerResponse, failed: FailedSignIn): void {
  const { result, formTargets, ...page } = failed;
  const throttled = result.reason === 'throttled';
  if (throttled) res.setHeader('Retry-After', String(Math.ceil(result.retryAfterMs / 1000)));
  const error = throttled
    ? `Too many attempts. Try again in ${inWords(result.retryAfterMs)}.`
    : 'The account name or the password is wrong.';
  endPage(res, { status: throttled ? 429 : 401, page: signInPage({ ...page, error }), formTargets });
}

function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
