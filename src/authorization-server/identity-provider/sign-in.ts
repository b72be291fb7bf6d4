import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { Account } from '../accounts/index.ts';
import { redirect } from '../answers.ts';
import type { Audit } from '../events.ts';
import type { FormGuard } from '../forms.ts';
import { type AuthorizationServerOptions, interactionSeconds } from '../options.ts';
import { leaveOtherSession } from '../other-session.ts';
import { endErrorPage, endPage, leavePage } from '../pages/index.ts';
import type { Tickets } from '../tickets.ts';
import { ProviderError } from './errors.ts';
import type { Identities } from './identities.ts';
import type { IdentityProvider, SignInSecrets } from './provider.ts';

/** Below the issuer's path. Registered at the provider, character for character. */
export const callbackPath = '/signin/oidc/callback';

/** What a sign-in is for: an authorization request, or the account page (no request, no client). */
export interface SignInPurpose {
  readonly uid: string | null;
  readonly clientId: string | null;
  /** The client asked for a fresh sign-in. */
  readonly fresh: boolean;
}

export interface ProviderSignInParts {
  readonly options: AuthorizationServerOptions;
  readonly provider: () => Provider;
  readonly identityProvider: IdentityProvider;
  readonly identities: Identities;
  readonly tickets: Tickets;
  /** For what is derived from a state: nonce and PKCE verifier. */
  readonly key: Buffer;
  readonly forms: FormGuard;
  readonly audit: Audit;
  /** Starts a browser session, for the account page. */
  readonly startSession: (req: IncomingMessage, res: ServerResponse, account: Account) => Promise<void>;
}

export interface ProviderSignIn {
  /** For people. */
  readonly name: string;
  /** Sends the browser to the provider. Only ever after the person has submitted a form of ours that names the client. */
  leave(req: IncomingMessage, res: ServerResponse, purpose: SignInPurpose): Promise<void>;
  /** The browser is back. */
  callback(req: IncomingMessage, res: ServerResponse, address: string): Promise<void>;
}

export function createProviderSignIn(parts: ProviderSignInParts): ProviderSignIn {
  const { options, identityProvider, tickets, forms } = parts;
  return {
    name: identityProvider.config.name,
    async leave(req, res, purpose) {
      const ticket = tickets.issue(
        context(forms.browser(req, res), purpose.uid, purpose.clientId),
        interactionSeconds * 1000,
      );
      const secrets = secretsOf(parts, `${purpose.uid ?? ''}~${ticket}`);
      try {
        const url = await identityProvider.authorizationUrl(secrets, purpose);
        endPage(res, {
          status: 200,
          page: leavePage(url.href, identityProvider.config.name),
          refresh: url.href,
        });
      } catch (error) {
        fail(parts, res, { error, address: null, clientId: purpose.clientId });
      }
    },
    async callback(req, res, address) {
      if (req.method !== 'GET') return endErrorPage(res, 405, 'There is no such page.');
      const url = new URL(req.url ?? '', options.publicUrl);
      const known = await recognise(parts, req, url);
      if (known === null) return endErrorPage(res, 400, 'This sign-in has expired or was started elsewhere.');
      try {
        const { identity, refreshToken } = await identityProvider.redeem(url, secretsOf(parts, known.state));
        const account = parts.identities.signIn(identityProvider.config.issuer, identity, refreshToken);
        if (account === null) throw new ProviderError('refused', 'account_removed');
        const client_id = known.clientId;
        parts.audit('signin.succeeded', {
          client_id,
          subject: account.id,
          address,
          data: { method: 'oidc' },
        });
        await goOn(parts, { req, res }, { uid: known.uid, account });
      } catch (error) {
        fail(parts, res, { error, address, clientId: known.clientId });
      }
    },
  };
}

function context(browser: string, uid: string | null, clientId: string | null): string[] {
  return ['oidc', browser, uid ?? '', clientId ?? ''];
}

/** The nonce and the verifier follow from the state, so that none of them is stored. */
function secretsOf({ key }: ProviderSignInParts, state: string): SignInSecrets {
  const derived = (use: string) => createHmac('sha256', key).update(`${use} ${state}`).digest('base64url');
  return { state, nonce: derived('nonce'), verifier: derived('verifier') };
}

interface Recognised {
  readonly state: string;
  readonly uid: string | null;
  readonly clientId: string | null;
}

/** The state must be ours, of this browser, for a request of this client that still waits, and not used before. */
async function recognise(
  { provider, forms, tickets }: ProviderSignInParts,
  req: IncomingMessage,
  url: URL,
): Promise<Recognised | null> {
  const states = url.searchParams.getAll('state');
  const [state = ''] = states;
  const browser = forms.knownBrowser(req);
  if (states.length !== 1 || state.length > 512 || browser === null) return null;
  const cut = state.indexOf('~');
  const [uid, ticket] = [state.slice(0, cut) || null, state.slice(cut + 1)];
  const interaction = uid === null ? undefined : await provider().Interaction.find(uid);
  if (uid !== null && interaction?.prompt.name !== 'login') return null;
  const clientId = interaction === undefined ? null : String(interaction.params['client_id']);
  return tickets.redeem(ticket, context(browser, uid, clientId)) ? { state, uid, clientId } : null;
}

async function goOn(
  parts: ProviderSignInParts,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  { uid, account }: { uid: string | null; account: Account },
): Promise<void> {
  if (uid === null) {
    await parts.startSession(req, res, account);
    return redirect(res, `${parts.options.publicUrl}/account`);
  }
  const interaction = await parts.provider().Interaction.find(uid);
  if (interaction === undefined) return endErrorPage(res, 400, 'expired');
  await leaveOtherSession(parts, interaction, account.id);
  interaction.result = { ...interaction.lastSubmission, login: { accountId: account.id, remember: false } };
  const left = interaction.exp - Math.floor(parts.options.clock.now() / 1000);
  await interaction.save(Math.max(1, left));
  // Goes on only in the browser that began: oidc-provider asks for the request's own cookie there.
  redirect(res, interaction.returnTo);
}

const messages: Record<ProviderError['failure'], string> = {
  refused: 'The identity provider did not sign you in, or your account there may not be used here.',
  invalid: 'The answer of the identity provider does not hold. Start again from the application.',
  unavailable: 'The identity provider cannot be reached at the moment. Try again later.',
};

/** Nothing of what the provider, or whoever sent the browser here, has written goes on the page. */
function fail(
  { audit, options }: ProviderSignInParts,
  res: ServerResponse,
  { error, address, clientId }: { error: unknown; address: string | null; clientId: string | null },
): void {
  if (!(error instanceof ProviderError)) throw error;
  const reason = `${error.failure}: ${error.code}`;
  audit('signin.failed', { client_id: clientId, address, data: { reason, method: 'oidc' } });
  options.log.info({ reason }, 'sign-in at the identity provider failed');
  endErrorPage(res, error.failure === 'unavailable' ? 503 : 403, messages[error.failure]);
}
