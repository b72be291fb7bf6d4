import { html } from 'hono/html';
import { type Html, layout } from './layout.ts';

export interface ConnectPage {
  readonly account: string;
  readonly server: string;
  readonly provider: string;
  readonly isConnected: boolean;
  readonly action: string;
  readonly csrf: string;
}

/** Names account, server and provider: who came by somebody else's link sees whom it connects. */
export function connectPage(page: ConnectPage): Html {
  const { account, server, provider, isConnected, action, csrf } = page;
  return layout(
    'Connect an account',
    html`<h1>${isConnected ? 'You are connected' : 'Connect your account'}</h1>
<dl><dt>You are signed in here as</dt><dd>${account}</dd>
<dt>Server</dt><dd>${server}</dd>
<dt>Provider of your account there</dt><dd>${provider}</dd></dl>
<p>Applications that you allow then use ${server} with <strong>your own</strong> account at ${provider}. Nobody else
does: if somebody sent you this link, it does not connect them.</p>
<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<div class="actions"><button type="submit"${isConnected ? html` class="quiet"` : ''}>${isConnected ? 'Connect again' : `Connect at ${provider}`}</button></div>
</form>`,
  );
}

export function signInFirstPage(accountUrl: string): Html {
  return layout(
    'Sign in',
    html`<h1>Sign in first</h1>
<p><a href="${accountUrl}">Sign in to your account</a>: you come back here then.</p>`,
  );
}
