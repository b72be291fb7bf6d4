import { html } from 'hono/html';
import type { ScopeDescription } from '../authorization-server.ts';
import { type Html, layout } from './layout.ts';
import { type PasskeyForm, passkeySignIn } from './passkey.ts';
import { type RequestFacts, requestFacts, requestWarnings, scopeList } from './request.ts';
import { displayText } from './text.ts';

/** What the sign-in page offers. */
export interface SignInOffer {
  /** Null: there are no passwords here. */
  readonly password: { readonly action: string } | null;
  readonly passkey: PasskeyForm | null;
  readonly provider: { readonly name: string; readonly action: string } | null;
}

export interface SignInPage {
  readonly offer: SignInOffer;
  readonly csrf: string;
  /** Null when no client asked. */
  readonly request: (RequestFacts & { readonly asked: readonly ScopeDescription[] }) | null;
  readonly name: string;
  readonly error: string | null;
  /** Where to give up; null where there is nothing to go back to. */
  readonly cancelAction: string | null;
}

/**
 * Whoever goes to a provider may be signed in there already and come straight back, so what the application asks for is
 * said here, before (MCP Security Best Practices, confused deputy).
 */
export function signInPage(page: SignInPage): Html {
  const { offer, request } = page;
  return layout(
    'Sign in',
    html`<h1>Sign in</h1>
${request === null ? '' : html`<p>An application that calls itself <strong>${displayText(request.client.name ?? request.client.id)}</strong> asks for access.</p>`}
${request === null || offer.provider === null ? '' : whatItAsks(request)}
${page.error === null ? '' : html`<p class="error" role="alert">${page.error}</p>`}
${offer.provider === null ? '' : providerForm(offer.provider, page.csrf)}
${offer.password === null ? '' : passwordForm(page, offer.password.action)}
${offer.passkey === null ? '' : passkeySignIn(offer.passkey)}
${page.cancelAction === null ? '' : cancelForm(page.cancelAction, page.csrf)}`,
  );
}

function whatItAsks(request: NonNullable<SignInPage['request']>): Html {
  return html`<p class="warning">The name is the application’s own claim and is not verified. Go on only if you started it yourself, just now.</p>
${requestWarnings(request)}
<dl>${requestFacts(request)}</dl>
<h2>It wants to</h2>
${scopeList(request.asked)}`;
}

function providerForm({ name, action }: NonNullable<SignInOffer['provider']>, csrf: string): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<div class="actions"><button type="submit">Continue with ${name}</button></div>
</form>`;
}

function passwordForm({ csrf, name }: SignInPage, action: string): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<label for="name">Account name</label>
<input id="name" name="name" value="${displayText(name, 64)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
<div class="actions"><button type="submit">Sign in</button></div>
</form>`;
}

function cancelForm(action: string, csrf: string): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<div class="actions"><button type="submit" class="quiet">Cancel</button></div>
</form>`;
}
