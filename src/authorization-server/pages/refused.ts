import type { ServerResponse } from 'node:http';
import { html } from 'hono/html';
import { endPage, layout } from './layout.ts';
import { displayText } from './text.ts';

export interface RefusedPage {
  /** May repeat what the request said: attacker-controlled. */
  readonly message: string;
  /** A registered redirect URI with the error in it, chosen by whoever registered it; null where there is none to offer. */
  readonly target: string | null;
}

/** What is wrong with a client's request, and the way back for those who want to take it. */
export function endRefusedPage(res: ServerResponse, { message, target }: RefusedPage): void {
  const url = target === null ? null : URL.parse(target);
  const page = layout(
    'Not possible',
    html`<h1>This request cannot be answered</h1>
<p>An application sent you here with a request that does not work: ${displayText(message, 300)}</p>
${url === null || target === null ? '' : wayBack(target, url)}
<p>If you did not start this, close the page.</p>`,
  );
  endPage(res, { status: 400, page });
}

function wayBack(target: string, url: URL) {
  const place = url.host === '' ? url.protocol : url.host;
  return html`<p>You can tell the application by following this link, which leaves this server: <a href="${target}" rel="noreferrer nofollow">continue to ${displayText(place, 253)}</a></p>`;
}
