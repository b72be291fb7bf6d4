import { html } from 'hono/html';
import { type Html, layout } from './layout.ts';
import { displayText } from './text.ts';

export interface SignInPage {
  readonly action: string;
  readonly csrf: string;
  /** Client-given; null when no client asked. */
  readonly clientName: string | null;
  readonly name: string;
  readonly error: string | null;
  /** Where to give up; null where there is nothing to go back to. */
  readonly cancelAction: string | null;
}

export function signInPage(page: SignInPage): Html {
  return layout(
    'Sign in',
    html`<h1>Sign in</h1>
${page.clientName === null ? '' : html`<p>An application that calls itself <strong>${displayText(page.clientName)}</strong> asks for access.</p>`}
${page.error === null ? '' : html`<p class="error" role="alert">${page.error}</p>`}
<form method="post" action="${page.action}">
<input type="hidden" name="csrf" value="${page.csrf}">
<label for="name">Account name</label>
<input id="name" name="name" value="${displayText(page.name, 64)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
<div class="actions"><button type="submit">Sign in</button></div>
</form>
${page.cancelAction === null ? '' : cancelForm(page.cancelAction, page.csrf)}`,
  );
}

function cancelForm(action: string, csrf: string): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<div class="actions"><button type="submit" class="quiet">Cancel</button></div>
</form>`;
}
