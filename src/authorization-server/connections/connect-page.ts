import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../base/index.ts';
import type { Account } from '../accounts/index.ts';
import { redirect } from '../answers.ts';
import type { Audit } from '../events.ts';
import type { FormGuard } from '../forms.ts';
import { innerRequest } from '../inner-request.ts';
import { connectPage, endErrorPage, endPage, leavePage, signInFirstPage } from '../pages/index.ts';
import type { Sessions } from '../sessions.ts';
import type { Tickets } from '../tickets.ts';
import { type Connections, connectPath } from './connections.ts';
import { ConnectError, type ConnectProvider } from './provider.ts';

const lifeMs = 10 * 60_000;

export interface ConnectPageParts {
  readonly connections: Connections;
  readonly publicUrl: string;
  readonly sessions: Sessions;
  readonly forms: FormGuard;
  readonly tickets: Tickets;
  /** PKCE verifiers follow from the state and this. */
  readonly key: Buffer;
  readonly audit: Audit;
  readonly log: Log;
}

interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly address: string;
  readonly server: string;
  readonly provider: ConnectProvider;
  /** Who is signed in in this browser: whatever led here, this account is connected and no other. */
  readonly account: Account;
}

/** `/connect/<server>`, where a person connects their own account, and its callback. */
export function createConnectPage(parts: ConnectPageParts) {
  return async (req: IncomingMessage, res: ServerResponse, address: string): Promise<void> => {
    const [path = ''] = (req.url ?? '').split('?');
    const [server = '', action, ...more] = path.slice(connectPath.length + 1).split('/');
    const provider = parts.connections.providers.get(server);
    const isKnown = action === undefined || action === 'callback';
    if (provider === undefined || !isKnown || more.length > 0) return endNothing(res);
    const publicUrl = new URL(parts.publicUrl);
    const inner = innerRequest(req, { publicUrl, target: path, body: null });
    const account = (await parts.sessions.current(inner, res))?.account;
    if (account === undefined) {
      if (req.method === 'GET' && action === undefined) parts.connections.returnLink.remember(res, server);
      return endSignInFirst(parts, res);
    }
    const visit = { req, res, address, server, provider, account };
    if (req.method === 'GET') return action === 'callback' ? comeBack(parts, visit) : show(parts, visit);
    if (req.method === 'POST' && action === undefined) return leave(parts, visit);
    endNothing(res);
  };
}

function endNothing(res: ServerResponse): void {
  endErrorPage(res, 404, 'There is no such page.');
}

function endSignInFirst({ publicUrl }: ConnectPageParts, res: ServerResponse): void {
  endPage(res, { status: 401, page: signInFirstPage(`${publicUrl}/account`) });
}

function purposeOf({ server, account }: Visit): string {
  return `connect ${server} ${account.id}`;
}

function show({ connections, forms }: ConnectPageParts, visit: Visit): void {
  const { req, res, server, provider, account } = visit;
  const page = connectPage({
    account: account.name,
    server,
    provider: provider.name,
    isConnected: connections.store.find(connections.owner(server, account.id)) !== null,
    action: connections.link(server),
    csrf: forms.token(req, res, purposeOf(visit)),
  });
  endPage(res, { status: 200, page });
}

/** The form names the account that it was shown to: after a change of accounts it is none. */
async function leave(parts: ConnectPageParts, visit: Visit): Promise<void> {
  const { req, res, provider } = visit;
  if ((await parts.forms.read(req, purposeOf(visit))) === null) {
    return endErrorPage(res, 403, 'The form does not belong to this browser or has expired.');
  }
  const state = parts.tickets.issue(contextOf(visit, parts.forms.browser(req, res)), lifeMs);
  try {
    const url = await provider.authorizationUrl(secretsOf(parts, state));
    endPage(res, { status: 200, page: leavePage(url.href, provider.name), refresh: url.href });
  } catch (error) {
    fail(parts, visit, error);
  }
}

function contextOf({ server, account }: Visit, browser: string): string[] {
  return ['connect', browser, server, account.id];
}

function secretsOf({ key }: ConnectPageParts, state: string) {
  return { state, verifier: createHmac('sha256', key).update(`verifier ${state}`).digest('base64url') };
}

/** The state must be of this browser, server and account, and not have been used. */
async function comeBack(parts: ConnectPageParts, visit: Visit): Promise<void> {
  const { req, res, address, server, provider, account } = visit;
  const { connections, forms, tickets, audit, publicUrl } = parts;
  const url = new URL(req.url ?? '', publicUrl);
  const states = url.searchParams.getAll('state');
  const [state = ''] = states;
  const browser = forms.knownBrowser(req);
  if (states.length !== 1 || browser === null || !tickets.redeem(state, contextOf(visit, browser))) {
    return endErrorPage(res, 400, 'This connection has expired or was started elsewhere.');
  }
  try {
    const tokens = await provider.redeem(url, secretsOf(parts, state));
    connections.store.save(connections.owner(server, account.id), tokens);
    audit('connection.added', { subject: account.id, address, data: { server, provider: provider.name } });
    redirect(res, connections.link(server));
  } catch (error) {
    fail(parts, visit, error);
  }
}

/** Nothing of what the provider, or whoever sent the browser here, has written goes on the page. */
function fail(
  { log, audit }: ConnectPageParts,
  { res, server, account, address }: Visit,
  error: unknown,
): void {
  if (!(error instanceof ConnectError)) throw error;
  audit('connection.failed', { subject: account.id, address, data: { server, reason: error.message } });
  log.info({ server, reason: error.message }, 'a connection came to nothing');
  const isRefusal = error.failure === 'refused';
  const message = isRefusal
    ? 'The provider did not connect you.'
    : 'The provider cannot be used at the moment.';
  endErrorPage(res, isRefusal ? 403 : 502, message);
}
