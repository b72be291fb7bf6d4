import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccountAccess } from './account-access.ts';
import type { AccountConnections } from './account-connections.ts';
import { type AccountPasskeys, createAccountPasskeys } from './account-passkeys.ts';
import type { Account } from './accounts/index.ts';
import { redirect } from './answers.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import { innerRequest } from './inner-request.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { accountPage, endErrorPage, endPage, signInPage } from './pages/index.ts';
import type { Sessions } from './sessions.ts';
import { endFailedPasskey, endFailedSignIn } from './sign-in-answer.ts';
import { type SignInWays, signInOffer } from './sign-in-offer.ts';

export interface AccountPageParts {
  readonly options: AuthorizationServerOptions;
  readonly sessions: Sessions;
  readonly ways: SignInWays;
  /** Whether the account has a password here: one of a provider's gets no passkey, which would outlive it there. */
  readonly isLocal: (account: Account) => boolean;
  readonly access: AccountAccess;
  /** Null: no server has connections. */
  readonly connections: AccountConnections | null;
  readonly forms: FormGuard;
  readonly audit: Audit;
}

const purpose = 'account';

/** What changes how somebody signs in is for who has just done it. */
const recentMs = 10 * 60_000;

interface Context extends AccountPageParts {
  readonly base: string;
  readonly keys: AccountPasskeys | null;
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly inner: IncomingMessage;
  readonly res: ServerResponse;
  readonly address: string;
}

/** `/account`: who is signed in, their passkeys, and what to do next. Its forms go to the paths below it. */
export function createAccountPage(parts: AccountPageParts) {
  const base = `${parts.options.publicUrl}/account`;
  const { passkeys } = parts.ways;
  const keys = passkeys === null ? null : createAccountPasskeys({ ...parts, passkeys, base, purpose });
  const context: Context = { ...parts, base, keys };
  const forms: Record<string, typeof submitSignIn> = {
    '/account/login': submitSignIn,
    '/account/passkey': submitPasskey,
    '/account/provider': submitProvider,
    '/account/passkeys/add': changePasskeys,
    '/account/passkeys/remove': changePasskeys,
    '/account/access/end': endAccess,
    '/account/connections/end': endConnection,
    '/account/sign-out': submitSignOut,
  };
  return async (req: IncomingMessage, res: ServerResponse, address: string): Promise<void> => {
    const [path = ''] = (req.url ?? '').split('?');
    const publicUrl = new URL(parts.options.publicUrl);
    const exchange = { req, res, address, inner: innerRequest(req, { publicUrl, target: path, body: null }) };
    if (req.method === 'GET' && path === '/account') return show(context, exchange);
    if (req.method === 'GET' && path === '/account/confirm') return showSignIn(context, exchange);
    const submit = Object.hasOwn(forms, path) ? forms[path] : undefined;
    if (req.method !== 'POST' || submit === undefined)
      return endErrorPage(res, 404, 'There is no such page.');
    const form = await parts.forms.read(req, purpose);
    if (form === null)
      return endErrorPage(res, 403, 'The form does not belong to this browser or has expired.');
    await submit(context, exchange, form);
  };
}

async function show(context: Context, exchange: Exchange, error: string | null = null): Promise<void> {
  const { options, sessions, access, connections, forms, keys, isLocal, base } = context;
  const { req, inner, res } = exchange;
  const session = await sessions.current(inner, res);
  if (session === undefined) return showSignIn(context, exchange);
  const opened = error === null ? (connections?.resume(req, res) ?? null) : null;
  if (opened !== null) return redirect(res, opened);
  const { account } = session;
  const page = accountPage({
    name: account.name,
    role: account.role,
    resources: options.resources,
    signOutAction: `${base}/sign-out`,
    access: access.list(account),
    endAccessAction: `${base}/access/end`,
    connections: connections?.list(account) ?? null,
    endConnectionAction: `${base}/connections/end`,
    csrf: forms.token(req, res, purpose),
    passkeys:
      keys !== null && isLocal(account)
        ? await keys.section({ req, res, account }, isRecent(context, session))
        : null,
    error,
  });
  endPage(res, { status: error === null ? 200 : 400, page, script: keys !== null });
}

/** Ends a grant of the person who is signed in; whose it is, is looked up and not believed. */
async function endAccess(context: Context, exchange: Exchange, form: URLSearchParams): Promise<void> {
  const { sessions, access, base } = context;
  const { inner, res, address } = exchange;
  const session = await sessions.current(inner, res);
  if (session === undefined) return redirect(res, base);
  if (access.end(session.account, form.get('grant') ?? '', address)) return redirect(res, base);
  return show(context, exchange, 'This access has ended already.');
}

/** Whose connection it is, follows from the session and not from the form. */
async function endConnection(context: Context, exchange: Exchange, form: URLSearchParams): Promise<void> {
  const { sessions, connections, base } = context;
  const { inner, res, address } = exchange;
  const session = await sessions.current(inner, res);
  if (session === undefined) return redirect(res, base);
  if (connections?.remove(session.account, form.get('server') ?? '', address)) return redirect(res, base);
  return show(context, exchange, 'This connection has ended already.');
}

function isRecent({ options }: Context, { signedInAt }: { signedInAt: number }): boolean {
  return options.clock.now() - signedInAt < recentMs;
}

async function showSignIn(context: Context, exchange: Exchange): Promise<void> {
  const page = await signInPageFor(context, exchange, '');
  const script = page.offer.passkey !== null;
  endPage(exchange.res, { status: 200, page: signInPage({ ...page, error: null }), script });
}

async function signInPageFor({ ways, forms, base }: Context, { req, res }: Exchange, name: string) {
  return {
    offer: await signInOffer(ways, forms, { req, res, base, purpose }),
    cancelAction: null,
    csrf: forms.token(req, res, purpose),
    request: null,
    name,
  };
}

async function submitSignIn(context: Context, exchange: Exchange, form: URLSearchParams): Promise<void> {
  const { ways, audit } = context;
  const { res, address } = exchange;
  if (ways.password === null) return endErrorPage(res, 404, 'There is no such page.');
  const name = form.get('name') ?? '';
  const result = await ways.password({ name, password: form.get('password') ?? '', address });
  if (result.ok) return signedIn(context, exchange, result.account);
  const { reason, accountId: subject } = result;
  audit('signin.failed', { subject, address, data: { reason } });
  endFailedSignIn(res, { result, page: await signInPageFor(context, exchange, name), formTargets: [] });
}

async function submitPasskey(context: Context, exchange: Exchange, form: URLSearchParams): Promise<void> {
  const { ways, forms, audit } = context;
  const { req, res, address } = exchange;
  if (ways.passkeys === null) return endErrorPage(res, 404, 'There is no such page.');
  const ticketContext = [purpose, forms.browser(req, res)];
  const account = await ways.passkeys.signIn(form.get('credential') ?? '', ticketContext);
  if (account !== null) return signedIn(context, exchange, account);
  audit('signin.failed', { address, data: { reason: 'passkey', method: 'passkey' } });
  endFailedPasskey(res, { page: await signInPageFor(context, exchange, ''), formTargets: [] });
}

async function submitProvider({ ways }: Context, { req, res }: Exchange): Promise<void> {
  if (ways.provider === null) return endErrorPage(res, 404, 'There is no such page.');
  await ways.provider.leave(req, res, { uid: null, clientId: null, fresh: true });
}

async function signedIn(
  { audit, sessions, base }: Context,
  { inner, res, address }: Exchange,
  account: Account,
) {
  audit('signin.succeeded', { subject: account.id, address });
  await sessions.signIn(inner, res, account);
  redirect(res, base);
}

async function changePasskeys(context: Context, exchange: Exchange, form: URLSearchParams): Promise<void> {
  const { sessions, keys, isLocal, base } = context;
  const { req, inner, res, address } = exchange;
  const session = await sessions.current(inner, res);
  if (keys === null || session === undefined || !isLocal(session.account)) {
    return endErrorPage(res, 404, 'There is no such page.');
  }
  if (!isRecent(context, session)) return redirect(res, `${base}/confirm`);
  const on = { req, res, account: session.account };
  const isAdding = (req.url ?? '').startsWith('/account/passkeys/add');
  const isDone = isAdding ? await keys.add(on, form, address) : keys.remove(on, form, address);
  if (isDone) return redirect(res, base);
  return show(context, exchange, isAdding ? 'The passkey was not added.' : 'There is no such passkey.');
}

async function submitSignOut(
  { sessions, audit, base }: Context,
  { inner, res, address }: Exchange,
): Promise<void> {
  const session = await sessions.current(inner, res);
  await sessions.signOut(inner, res);
  if (session !== undefined) audit('signin.ended', { subject: session.account.id, address });
  redirect(res, base);
}
