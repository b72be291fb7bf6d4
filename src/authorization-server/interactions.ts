import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { messageOf } from '../base/index.ts';
import type { Account, AccountStore } from './accounts/index.ts';
import { redirect } from './answers.ts';
import { redirectSource, redirectTarget } from './clients/index.ts';
import { type ConsentChoice, consentChoice, describeRequest, saveGrant } from './consent.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import { innerRequest } from './inner-request.ts';
import { endpoints } from './metadata.ts';
import { type AuthorizationServerOptions, issuerPath } from './options.ts';
import { leaveOtherSession } from './other-session.ts';
import { consentPage, endErrorPage, endPage, signInPage } from './pages/index.ts';
import { endFailedPasskey, endFailedSignIn } from './sign-in-answer.ts';
import { type SignInWays, signInOffer } from './sign-in-offer.ts';

export interface InteractionParts {
  readonly options: AuthorizationServerOptions;
  readonly provider: () => Provider;
  readonly accounts: AccountStore;
  readonly ways: SignInWays;
  readonly forms: FormGuard;
  readonly audit: Audit;
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

/** One request to an interaction: the outer request for the form, the inner one for oidc-provider. */
interface Exchange {
  readonly req: IncomingMessage;
  readonly inner: IncomingMessage;
  readonly res: ServerResponse;
  readonly address: string;
  readonly base: string;
  readonly interaction: Interaction;
}

const route = /^\/oauth\/interaction\/([\w-]{1,64})(?:\/(login|passkey|provider|consent|cancel|switch))?$/;

/** The pages between an authorization request and its answer: sign-in and consent. */
export function createInteractions(parts: InteractionParts) {
  const steps = {
    login: submitSignIn,
    passkey: submitPasskey,
    provider: submitProvider,
    consent: submitConsent,
    cancel: submitCancel,
    switch: submitSwitch,
  };
  return async (req: IncomingMessage, res: ServerResponse, address: string): Promise<void> => {
    const [path = ''] = (req.url ?? '').split('?');
    const [, uid, step] = route.exec(path) ?? [];
    if (uid === undefined || (step === undefined) !== (req.method === 'GET')) {
      return endErrorPage(res, 404, 'There is no such page.');
    }
    const inner = innerRequest(req, {
      publicUrl: new URL(parts.options.publicUrl),
      target: path.slice(issuerPath.length),
      body: null,
    });
    const interaction = await findInteraction(parts, inner, res);
    if (interaction === null || interaction.uid !== uid) return endErrorPage(res, 400, 'expired');
    const base = `${parts.options.publicUrl}${issuerPath}/interaction/${uid}`;
    const exchange = { req, inner, res, address, base, interaction };
    if (step === undefined) return show(parts, exchange);
    if (req.method !== 'POST') return endErrorPage(res, 405, 'There is no such page.');
    const form = await parts.forms.read(req, uid);
    if (form === null)
      return endErrorPage(res, 403, 'The form does not belong to this browser or has expired.');
    await steps[step as keyof typeof steps](parts, exchange, form);
  };
}

/** The cookie names the interaction; without it there is nothing to show. */
async function findInteraction(
  { provider, options }: InteractionParts,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Interaction | null> {
  try {
    return await provider().interactionDetails(req, res);
  } catch (error) {
    options.log.debug({ error: messageOf(error) }, 'interaction not found');
    return null;
  }
}

async function show(parts: InteractionParts, exchange: Exchange): Promise<void> {
  if (exchange.interaction.prompt.name === 'login') return showSignIn(parts, exchange);
  return showConsent(parts, exchange);
}

async function showSignIn(parts: InteractionParts, exchange: Exchange): Promise<void> {
  const { res, interaction } = exchange;
  const page = await signInPageFor(parts, exchange, '');
  endPage(res, {
    status: 200,
    page: signInPage({ ...page, error: null }),
    formTargets: formTargets(parts, interaction),
    script: page.offer.passkey !== null,
  });
}

async function signInPageFor(parts: InteractionParts, exchange: Exchange, name: string) {
  const { req, res, base, interaction } = exchange;
  const { uid } = interaction;
  return {
    offer: await signInOffer(parts.ways, parts.forms, { req, res, base, purpose: uid }),
    cancelAction: `${base}/cancel`,
    csrf: parts.forms.token(req, res, uid),
    request: await describeRequest(parts, interaction),
    name,
  };
}

async function submitSignIn(parts: InteractionParts, exchange: Exchange, form: URLSearchParams) {
  const { res, interaction, address } = exchange;
  if (parts.ways.password === null) return endErrorPage(res, 404, 'There is no such page.');
  const name = form.get('name') ?? '';
  const result = await parts.ways.password({ name, password: form.get('password') ?? '', address });
  if (result.ok) return signedIn(parts, exchange, result.account);
  const client_id = String(interaction.params['client_id']);
  const { reason, accountId: subject } = result;
  parts.audit('signin.failed', { client_id, subject, address, data: { reason } });
  endFailedSignIn(res, {
    result,
    page: await signInPageFor(parts, exchange, name),
    formTargets: formTargets(parts, interaction),
  });
}

async function submitPasskey(parts: InteractionParts, exchange: Exchange, form: URLSearchParams) {
  const { req, res, interaction, address } = exchange;
  const { passkeys } = parts.ways;
  if (passkeys === null) return endErrorPage(res, 404, 'There is no such page.');
  const context = [interaction.uid, parts.forms.browser(req, res)];
  const account = await passkeys.signIn(form.get('credential') ?? '', context);
  if (account !== null) return signedIn(parts, exchange, account);
  const client_id = String(interaction.params['client_id']);
  parts.audit('signin.failed', { client_id, address, data: { reason: 'passkey', method: 'passkey' } });
  endFailedPasskey(res, {
    page: await signInPageFor(parts, exchange, ''),
    formTargets: formTargets(parts, interaction),
  });
}

/** The person has read what the application asks for and goes on to the provider. */
async function submitProvider(parts: InteractionParts, { req, res, interaction }: Exchange) {
  const { provider } = parts.ways;
  if (provider === null || interaction.prompt.name !== 'login') {
    return endErrorPage(res, 404, 'There is no such page.');
  }
  const fresh = String(interaction.params['prompt'] ?? '')
    .split(' ')
    .includes('login');
  const clientId = String(interaction.params['client_id']);
  await provider.leave(req, res, { uid: interaction.uid, clientId, fresh });
}

async function signedIn(parts: InteractionParts, exchange: Exchange, account: Account): Promise<void> {
  const { interaction, address } = exchange;
  const client_id = String(interaction.params['client_id']);
  parts.audit('signin.succeeded', { client_id, subject: account.id, address });
  await leaveOtherSession(parts, interaction, account.id);
  await finish(parts, exchange, { login: { accountId: account.id, remember: false } });
}

async function showConsent(parts: InteractionParts, exchange: Exchange): Promise<void> {
  const { req, res, base, interaction } = exchange;
  const choice = await consentChoice(parts, interaction);
  if (choice === null) return endErrorPage(res, 400, 'expired');
  const page = consentPage({
    action: `${base}/consent`,
    switchAction: `${base}/switch`,
    csrf: parts.forms.token(req, res, interaction.uid),
    accountName: choice.account.name,
    client: choice.client,
    target: choice.target,
    resources: choice.resources,
    scopes: choice.granted,
    withheld: choice.withheld,
  });
  auditConsent(parts, exchange, { choice, event: 'consent.shown' });
  endPage(res, { status: 200, page, formTargets: formTargets(parts, interaction) });
}

async function submitConsent(parts: InteractionParts, exchange: Exchange, form: URLSearchParams) {
  const choice = await consentChoice(parts, exchange.interaction);
  if (exchange.interaction.prompt.name !== 'consent' || choice === null) {
    return endErrorPage(exchange.res, 400, 'expired');
  }
  const isAllowed = form.get('decision') === 'allow' && choice.granted.length > 0;
  auditConsent(parts, exchange, { choice, event: isAllowed ? 'consent.granted' : 'consent.denied' });
  if (!isAllowed) return deny(parts, exchange);
  const grantId = await saveGrant(parts, exchange.interaction, choice);
  await finish(parts, exchange, { consent: { grantId } });
}

function auditConsent(
  parts: InteractionParts,
  { address }: Exchange,
  { choice, event }: { choice: ConsentChoice; event: 'consent.shown' | 'consent.granted' | 'consent.denied' },
): void {
  parts.audit(event, {
    client_id: choice.client.id,
    subject: choice.account.id,
    address,
    data: {
      resource: choice.resources.map(({ resource }) => resource).join(' '),
      scopes: choice.granted.map(({ scope }) => scope).join(' '),
    },
  });
}

async function submitCancel(parts: InteractionParts, exchange: Exchange) {
  const { interaction, address } = exchange;
  parts.audit('consent.denied', { client_id: String(interaction.params['client_id']), address });
  await deny(parts, exchange);
}

/** Signs out and asks the same again. The parameters were checked when the request first came. */
async function submitSwitch({ provider, options }: InteractionParts, { interaction, res }: Exchange) {
  const { session } = interaction;
  const found = session?.uid === undefined ? undefined : await provider().Session.findByUid(session.uid);
  await found?.destroy();
  await interaction.destroy();
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(interaction.params)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null) query.append(name, String(one));
  }
  redirect(res, `${options.publicUrl}${issuerPath}${endpoints.authorization}?${query}`);
}

function deny(parts: InteractionParts, exchange: Exchange): Promise<void> {
  return finish(parts, exchange, {
    error: 'access_denied',
    error_description: 'the person refused the access',
  });
}

function finish(
  { provider }: InteractionParts,
  { inner, res }: Exchange,
  result: Parameters<Provider['interactionFinished']>[2],
): Promise<void> {
  res.setHeader('Referrer-Policy', 'no-referrer');
  res.setHeader('Cache-Control', 'no-store');
  return provider().interactionFinished(inner, res, result, { mergeWithLastSubmission: true });
}

/** Where the answer to these forms redirects to in the end; Chromium checks each step against form-action. */
function formTargets({ options }: InteractionParts, interaction: Interaction): string[] {
  const { redirectSchemes } = options.config.clients;
  const target = redirectTarget(String(interaction.params['redirect_uri']), redirectSchemes);
  return target === null ? [] : [redirectSource(target)];
}
