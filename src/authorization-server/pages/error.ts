import type { ServerResponse } from 'node:http';
import { html } from 'hono/html';
import { endPage, layout } from './layout.ts';
import { displayText } from './text.ts';

/** What goes wrong most, in words that help: keyed by what oidc-provider says. */
const explanations: readonly (readonly [RegExp, string])[] = [
  [
    /redirect_uri/,
    'The application wants the answer at an address that it has not registered. Note that localhost and 127.0.0.1 are different addresses.',
  ],
  [
    /client is invalid|client_id|metadata document/,
    'The application is not known here. If it was, its registration has been removed: let it register again.',
  ],
  [
    /session|interaction|expired/,
    'This sign-in has expired or was finished already. Start again from the application.',
  ],
];

/** @param message may repeat what a request said: attacker-controlled */
export function endErrorPage(res: ServerResponse, status: number, message: string): void {
  const explanation = explanations.find(([pattern]) => pattern.test(message))?.[1];
  const page = layout(
    'Not possible',
    html`<h1>This did not work</h1>
${explanation === undefined ? '' : html`<p>${explanation}</p>`}
<p>${displayText(message, 300)}</p>`,
  );
  endPage(res, { status, page });
}
