import { html } from 'hono/html';
import type { ScopeDescription } from '../authorization-server.ts';
import type { RedirectTarget } from '../clients/index.ts';
import type { Html } from './layout.ts';
import { displayText } from './text.ts';

/** What an application asks for: shown before somebody allows it, and before somebody is sent elsewhere for it. */
export interface RequestFacts {
  /** Client-given. */
  readonly client: {
    readonly id: string;
    readonly name: string | null;
    readonly documentHost: string | null;
    readonly loopbackOnly: boolean;
  };
  readonly target: RedirectTarget;
  readonly resources: readonly { readonly name: string; readonly resource: string }[];
}

/** Terms of a description list. */
export function requestFacts({ client, target, resources }: RequestFacts): Html {
  return html`${identity(client)}
<dt>The access is sent to</dt><dd>${destination(target)}</dd>
<dt>For</dt><dd>${resources.map(({ name, resource }) => html`${name} <code>${resource}</code> `)}</dd>`;
}

export function requestWarnings({ client }: RequestFacts): Html | '' {
  return client.documentHost !== null && client.loopbackOnly ? localhostWarning(client.documentHost) : '';
}

function identity({ id, documentHost }: RequestFacts['client']): Html {
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

export function scopeList(scopes: readonly ScopeDescription[]): Html {
  return html`<ul>${scopes.map(({ scope, description }) => html`<li>${description} <code>${scope}</code></li>`)}</ul>`;
}
