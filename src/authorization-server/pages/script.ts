import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sha256Hex } from '../../base/index.ts';

const source = readFileSync(new URL('passkey.browser.js', import.meta.url));

/** Named by its content, so that it can be kept for ever. */
export const passkeyScriptPath = `/oauth/assets/passkey-${sha256Hex(source).slice(0, 16)}.js`;

/** The only script of our pages. */
export function endPasskeyScript(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, {
    'Content-Type': 'text/javascript; charset=utf-8',
    'Content-Length': source.length,
    'Cache-Control': 'public, max-age=31536000, immutable',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'same-origin',
  });
  res.end(req.method === 'HEAD' ? undefined : source);
}
