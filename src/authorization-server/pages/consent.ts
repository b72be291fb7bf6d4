import { html } from 'hono/html';
import type { ScopeDescription } from '../authorization-server.ts';
import type { RedirectTarget } from '../clients/index.ts';
import { type Html, layout } from './layout.ts';
import { displayText } from './text.ts';

export interface ConsentPage {
  readonly action: string;
  readonly switchAction: string;
  readonly csrf: string;
  readonly accountName: string;
  /** Client-given. */
  readonly client: {
    readonly id: string;
    readonly name: string | null;
    readonly documentHost: string | null;
    readonly loopbackOnly: boolean;
  };
  readonly target: RedirectTarget;
  readonly resources: readonly { readonly name: string; readonly resource: string }[];
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
${page.client.documentHost !== null && page.client.loopbackOnly ? localhostWarning(page.client.documentHost) : ''}
<dl>
${identity(page.client)}
<dt>The access is sent to</dt><dd>${destination(page.target)}</dd>
<dt>For</dt><dd>${page.resources.map(({ name, resource }) => html`${name} <code>${resource}</code> `)}</dd>
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

function identity({ id, documentHost }: ConsentPage['client']): Html {
  if (documentHost !== null) {
    return html`<dt>Described by (verified)</dt><dd><strong>${displayText(documentHost, 253)}</strong></dd>`;
  }
  return html`<dt>Registered itself as</dt><dd><code>${displayText(id, 64)}</code></dd>`;
}

/** MCP 2026-07-28, security considerations: the document is public, so any program here can pose as its client. */
function localhostWarning(host: string): Html {
  return html`<p class="warning">This application only ever answers on this computer. Any other program on it can use the description of ${displayText(host, 253)} and pose as this application: the host above does not prove that it is the one.</p>`;
}

function destination(target: RedirectTarget): Html {
  switch (target.kind) {
    case 'web':
      return html`<strong>${displayText(target.host, 253)}</strong>`;
    case 'loopback':
      return html`a program on this computer <code>${displayText(target.host, 253)}</code>`;
    case 'application':
      return html`the application on this computer that opens <code>${target.scheme}</code> links`;
  }
}

function scopeList(scopes: readonly ScopeDescription[]): Html {
  return html`<ul>${scopes.map(({ scope, description }) => html`<li>${description} <code>${scope}</code></li>`)}</ul>`;
}

function switchForm({ switchAction, csrf }: ConsentPage): Html {
  return html`<form method="post" action="${switchAction}" class="inline">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" class="link">Use another account</button>
</form>`;
}
