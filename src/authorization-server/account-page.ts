import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SignIn } from './accounts/index.ts';
import { redirect } from './answers.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import { innerRequest } from './inner-request.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { accountPage, endErrorPage, endPage, signInPage } from './pages/index.ts';
import type { Sessions } from './sessions.ts';
import { endFailedSignIn } from './sign-in-answer.ts';

export interface AccountPageParts {
  readonly options: AuthorizationServerOptions;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly forms: FormGuard;
  readonly audit: Audit;
}

const purpose = 'account';

/** `/account`: who is signed in, and what to do next. `/account/sign-in` and `/account/sign-out` take its forms. */
export function createAccountPage(parts: AccountPageParts) {
  const { options, sessions, forms } = parts;
  const base = `${options.publicUrl}/account`;
  return async (req: IncomingMessage, res: ServerResponse, address: string): Promise<void> => {
    const [path = ''] = (req.url ?? '').split('?');
    const inner = innerRequest(req, { publicUrl: new URL(options.publicUrl), target: path, body: null });
    if (req.method === 'GET' && path === '/account') return show(parts, { req, inner, res, base });
    if (req.method !== 'POST') return endErrorPage(res, 404, 'There is no such page.');
    const form = await forms.read(req, purpose);
    if (form === null)
      return endErrorPage(res, 403, 'The form does not belong to this browser or has expired.');
    if (path === '/account/sign-out') {
      await sessions.signOut(inner, res);
      return redirect(res, base);
    }
    if (path !== '/account/sign-in') return endErrorPage(res, 404, 'There is no such page.');
    await submit(parts, { req, inner, res, base, form, address });
  };
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly inner: IncomingMessage;
  readonly res: ServerResponse;
  readonly base: string;
}

async function show({ options, sessions, forms }: AccountPageParts, { req, inner, res, base }: Exchange) {
  const account = await sessions.account(inner, res);
  const csrf = forms.token(req, res, purpose);
  const page =
    account === undefined
      ? signInPage({
          action: `${base}/sign-in`,
          cancelAction: null,
          csrf,
          clientName: null,
          name: '',
          error: null,
        })
      : accountPage({
          name: account.name,
          role: account.role,
          resources: options.resources,
          signOutAction: `${base}/sign-out`,
          csrf,
        });
  endPage(res, { status: 200, page });
}

async function submit(
  { sessions, signIn, forms, audit }: AccountPageParts,
  { req, inner, res, base, form, address }: Exchange & { form: URLSearchParams; address: string },
) {
  const name = form.get('name') ?? '';
  const result = await signIn({ name, password: form.get('password') ?? '', address });
  if (!result.ok) {
    audit('signin.failed', { address, data: { reason: result.reason } });
    const csrf = forms.token(req, res, purpose);
    return endFailedSignIn(res, {
      result,
      action: `${base}/sign-in`,
      cancelAction: null,
      csrf,
      clientName: null,
      name,
      formTargets: [],
    });
  }
  audit('signin.succeeded', { subject: result.account.id, address });
  await sessions.signIn(inner, res, result.account);
  redirect(res, base);
}
