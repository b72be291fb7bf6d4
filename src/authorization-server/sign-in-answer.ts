import type { ServerResponse } from 'node:http';
import type { SignInResult } from './accounts/index.ts';
import { endPage, type SignInPage, signInPage } from './pages/index.ts';

export interface FailedSignIn {
  readonly result: Exclude<SignInResult, { ok: true }>;
  readonly page: Omit<SignInPage, 'error'>;
  readonly formTargets: readonly string[];
}

/** The sign-in page again. Says the same for an unknown name and a wrong password. */
export function endFailedSignIn(res: ServerResponse, { result, page, formTargets }: FailedSignIn): void {
  const throttled = result.reason === 'throttled';
  if (throttled) res.setHeader('Retry-After', String(Math.ceil(result.retryAfterMs / 1000)));
  const error = throttled
    ? `Too many attempts. Try again in ${inWords(result.retryAfterMs)}.`
    : 'The account name or the password is wrong.';
  endPage(res, {
    status: throttled ? 429 : 401,
    page: signInPage({ ...page, error }),
    formTargets,
    script: page.offer.passkey !== null,
  });
}

/** The same for a passkey that was not accepted, without saying why. */
export function endFailedPasskey(
  res: ServerResponse,
  { page, formTargets }: Omit<FailedSignIn, 'result'>,
): void {
  const error = 'The passkey was not accepted.';
  endPage(res, { status: 401, page: signInPage({ ...page, error }), formTargets, script: true });
}

function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
