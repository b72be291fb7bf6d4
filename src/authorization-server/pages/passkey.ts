import { html } from 'hono/html';
import type { Html } from './layout.ts';
import { passkeyScriptPath } from './script.ts';

export interface PasskeyForm {
  readonly action: string;
  readonly csrf: string;
  /** JSON that the browser is asked with. */
  readonly options: string;
}

/** Shown by the script: without it there is nothing to press. */
export function passkeySignIn(form: PasskeyForm): Html {
  return html`<form method="post" action="${form.action}" data-passkey="get" data-options="${form.options}" hidden>
<input type="hidden" name="csrf" value="${form.csrf}">
<input type="hidden" name="credential" value="">
<p class="error" role="alert" hidden>The passkey was not used. Try again, or sign in in another way.</p>
<div class="actions"><button type="submit" class="quiet">Sign in with a passkey</button></div>
</form>
${script()}`;
}

export function passkeyEnrolment(form: PasskeyForm): Html {
  return html`<form method="post" action="${form.action}" data-passkey="create" data-options="${form.options}" hidden>
<input type="hidden" name="csrf" value="${form.csrf}">
<input type="hidden" name="credential" value="">
<label for="label">Name of the new passkey</label>
<input id="label" name="label" value="Passkey" maxlength="64" required>
<p class="error" role="alert" hidden>The passkey was not made. Try again.</p>
<div class="actions"><button type="submit">Add a passkey</button></div>
</form>
<noscript><p>Adding a passkey needs JavaScript.</p></noscript>
${script()}`;
}

function script(): Html {
  return html`<script src="${passkeyScriptPath}" defer></script>`;
}
