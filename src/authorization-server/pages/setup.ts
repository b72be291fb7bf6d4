import { html } from 'hono/html';
import { minimumPasswordLength } from '../accounts/index.ts';
import { type Html, layout } from './layout.ts';
import { displayText } from './text.ts';

export interface SetupPage {
  readonly action: string;
  /** The one-time token of the link: it authorizes the form too. */
  readonly token: string;
  readonly csrf: string;
  readonly name: string;
  readonly error: string | null;
}

export function setupPage(page: SetupPage): Html {
  return layout(
    'Set up',
    html`<h1>Create the first administrator</h1>
<p>This link works once. Afterwards you sign in with this name and password whenever an application asks for access.</p>
${page.error === null ? '' : html`<p class="error" role="alert">${page.error}</p>`}
<form method="post" action="${page.action}">
<input type="hidden" name="csrf" value="${page.csrf}">
<input type="hidden" name="token" value="${page.token}">
<label for="name">Account name</label>
<input id="name" name="name" value="${displayText(page.name, 64)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="${minimumPasswordLength}" maxlength="1024" aria-describedby="rule" required>
<p class="hint" id="rule">At least ${minimumPasswordLength} characters. Several words are a good choice.</p>
<label for="repeated">The same password again</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" maxlength="1024" required>
<div class="actions"><button type="submit">Create administrator</button></div>
</form>`,
  );
}
