import { html } from 'hono/html';
import type { AccessItem } from '../account-access.ts';
import type { ConnectionItem } from '../account-connections.ts';
import type { ProtectedResource } from '../authorization-server.ts';
import { type Html, layout } from './layout.ts';
import { type PasskeyForm, passkeyEnrolment } from './passkey.ts';
import { displayText } from './text.ts';

export interface AccountPage {
  readonly name: string;
  readonly role: string;
  readonly resources: readonly ProtectedResource[];
  readonly signOutAction: string;
  /** What the person allowed, newest first. */
  readonly access: readonly AccessItem[];
  readonly endAccessAction: string;
  /** Accounts at other services. Null: no server asks for them. */
  readonly connections: readonly ConnectionItem[] | null;
  readonly endConnectionAction: string;
  readonly csrf: string;
  /** Null: there are no passkeys, or not for this account. */
  readonly passkeys: PasskeySection | null;
  readonly error: string | null;
}

export interface PasskeySection {
  readonly list: readonly {
    readonly id: string;
    readonly label: string;
    readonly created: string;
    readonly used: string | null;
  }[];
  readonly removeAction: string;
  /** Null: the last sign-in is too old to change anything. */
  readonly enrolment: PasskeyForm | null;
  readonly confirmUrl: string;
}

export function accountPage(page: AccountPage): Html {
  return layout(
    'Your account',
    html`<h1>You are signed in</h1>
${page.error === null ? '' : html`<p class="error" role="alert">${page.error}</p>`}
<dl><dt>Account</dt><dd>${page.name} (${page.role === 'admin' ? 'administrator' : 'user'})</dd></dl>
<h2>Next: connect an application</h2>
<p>Give your MCP client one of these addresses. It will bring you back here to allow the access.</p>
<ul>${page.resources.map(({ name, resource }) => html`<li>${name}: <code>${resource}</code></li>`)}</ul>
${accessSection(page)}
${page.connections === null ? '' : connectionSection(page, page.connections)}
${page.passkeys === null ? '' : passkeySection(page.passkeys, page.csrf)}
<form method="post" action="${page.signOutAction}">
<input type="hidden" name="csrf" value="${page.csrf}">
<div class="actions"><button type="submit" class="quiet">Sign out</button></div>
</form>`,
  );
}

function accessSection({ access, endAccessAction, csrf }: AccountPage): Html {
  const items = access.map(
    (item) => html`<li>${accessClient(item)}, since ${item.since} UTC
${item.resources.map(({ resource, scopes }) => html`<br><code>${resource}</code>: ${scopes.join(', ')}`)}
<form method="post" action="${endAccessAction}">
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="grant" value="${item.id}">
<button type="submit" class="link">End this access</button>
</form></li>`,
  );
  return html`<h2>Applications that may act for you</h2>
${access.length === 0 ? html`<p>None.</p>` : html`<ul>${items}</ul>`}`;
}

function connectionSection(
  { endConnectionAction, csrf }: AccountPage,
  connections: readonly ConnectionItem[],
): Html {
  const items = connections.map(
    ({
      server,
      provider,
      since,
    }) => html`<li>${server}${provider === null ? '' : ` (${provider})`}, since ${since} UTC
<form method="post" action="${endConnectionAction}">
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="server" value="${server}">
<button type="submit" class="link">Disconnect</button>
</form></li>`,
  );
  return html`<h2>Your accounts at other services</h2>
${connections.length === 0 ? html`<p>None is connected.</p>` : html`<ul>${items}</ul>`}`;
}

/** The name is the client's own claim, so the id stands beside it. */
function accessClient({ client, clientName }: AccessItem): Html {
  const id = html`<code>${displayText(client, 200)}</code>`;
  return clientName === null ? id : html`<strong>${displayText(clientName)}</strong> (${id})`;
}

function passkeySection({ list, removeAction, enrolment, confirmUrl }: PasskeySection, csrf: string): Html {
  const items = list.map(
    ({
      id,
      label,
      created,
      used,
    }) => html`<li>${label}, since ${created}, ${used === null ? 'never used' : `last used ${used}`}
${enrolment === null ? '' : removeForm(removeAction, id, csrf)}</li>`,
  );
  return html`<h2>Passkeys</h2>
${list.length === 0 ? html`<p>None. With one you sign in without the password.</p>` : html`<ul>${items}</ul>`}
${enrolment === null ? html`<p><a href="${confirmUrl}">Sign in again to change passkeys</a></p>` : passkeyEnrolment(enrolment)}`;
}

function removeForm(action: string, id: string, csrf: string): Html {
  return html`<form method="post" action="${action}" class="inline">
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="passkey" value="${id}">
<button type="submit" class="link">Remove</button>
</form>`;
}
