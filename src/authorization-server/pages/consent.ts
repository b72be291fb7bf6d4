import { html } from 'hono/html';
import type { ScopeDescription } from '../authorization-server.ts';
import { type Html, layout } from './layout.ts';
import { type RequestFacts, requestFacts, requestWarnings, scopeList } from './request.ts';
import { displayText } from './text.ts';

export interface ConsentPage extends RequestFacts {
  readonly action: string;
  readonly switchAction: string;
  readonly csrf: string;
  readonly accountName: string;
  readonly scopes: readonly ScopeDescription[];
  /** Asked for, and more than the account may give. */
  readonly withheld: readonly ScopeDescription[];
}

export function consentPage(page: ConsentPage): Html {
  const name = displayText(page.client.name ?? page.client.id);
  return layout(
    'Allow access',
    html`<h1>Allow “${name}” to act for you?</h1>
<p class="warning">The name is the application’s own claim and is not verified. Allow this only if you started it yourself, just now.</p>
${requestWarnings(page)}
<dl>
${requestFacts(page)}
<dt>Signed in as</dt><dd>${page.accountName} ${switchForm(page)}</dd>
</dl>
<h2>It will be able to</h2>
${page.scopes.length === 0 ? html`<p>Nothing: your account may give none of what it asks for.</p>` : scopeList(page.scopes)}
${page.withheld.length === 0 ? '' : html`<h2>It asks for, and will not get from your account</h2>${scopeList(page.withheld)}`}
<form method="post" action="${page.action}">
<input type="hidden" name="csrf" value="${page.csrf}">
<div class="actions">
${page.scopes.length === 0 ? '' : html`<button type="submit" name="decision" value="allow">Allow</button>`}
<button type="submit" name="decision" value="deny" class="quiet">Refuse</button>
</div>
</form>`,
  );
}

function switchForm({ switchAction, csrf }: ConsentPage): Html {
  return html`<form method="post" action="${switchAction}" class="inline">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" class="link">Use another account</button>
</form>`;
}
