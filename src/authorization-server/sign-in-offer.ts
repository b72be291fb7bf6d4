import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SignIn } from './accounts/index.ts';
import type { FormGuard } from './forms.ts';
import type { ProviderSignIn } from './identity-provider/index.ts';
import type { SignInOffer } from './pages/index.ts';
import type { Passkeys } from './passkeys/index.ts';

/** The ways to sign in that are switched on. */
export interface SignInWays {
  readonly password: SignIn | null;
  readonly passkeys: Passkeys | null;
  readonly provider: ProviderSignIn | null;
}

export interface OfferedOn {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Where the forms go: below it are `login`, `passkey` and `provider`. */
  readonly base: string;
  /** What the CSRF tokens and challenges are for: the interaction, or the account page. */
  readonly purpose: string;
}

export async function signInOffer(
  ways: SignInWays,
  forms: FormGuard,
  { req, res, base, purpose }: OfferedOn,
): Promise<SignInOffer> {
  const csrf = forms.token(req, res, purpose);
  const options = await ways.passkeys?.signInOptions([purpose, forms.browser(req, res)]);
  return {
    password: ways.password === null ? null : { action: `${base}/login` },
    passkey: options === undefined ? null : { action: `${base}/passkey`, csrf, options },
    provider: ways.provider === null ? null : { name: ways.provider.name, action: `${base}/provider` },
  };
}
