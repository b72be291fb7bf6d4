import { html } from 'hono/html';
import type { ProtectedResource } from '../authorization-server.ts';
import { type Html, layout } from './layout.ts';

export interface AccountPage {
  readonly name: string;
  readonly role: string;
  readonly resources: readonly ProtectedResource[];
  readonly signOutAction: string;
  readonly csrf: string;
}

export function accountPage(page: AccountPage): Html {
  return layout(
    'Your account',
    html`<h1>You are signed in</h1>
<dl><dt>Account</dt><dd>${page.name} (${page.role === 'admin' ? 'administrator' : 'user'})</dd></dl>
<h2>Next: connect an application</h2>
<p>Give your MCP client one of these addresses. It will bring you back here to allow the access.</p>
<ul>${page.resources.map(({ name, resource }) => html`<li>${name}: <code>${resource}</code></li>`)}</ul>
<form method="post" action="${page.signOutAction}">
<input type="hidden" name="csrf" value="${page.csrf}">
<div class="actions"><button type="submit" class="quiet">Sign out</button></div>
</form>`,
  );
}
