import { html } from 'hono/html';
import { type Html, layout } from './layout.ts';

/**
 * Between our form and the provider: a redirect that answers a form would be held to our form-action at every further
 * step of the provider's own.
 */
export function leavePage(url: string, providerName: string): Html {
  return layout(
    'Sign in',
    html`<h1>Going to ${providerName}</h1>
<p>If nothing happens, <a href="${url}" rel="noreferrer">go on to ${providerName}</a>.</p>`,
  );
}
