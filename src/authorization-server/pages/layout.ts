import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { html, raw } from 'hono/html';
import { neutralLines } from '../../base/index.ts';

export type Html = ReturnType<typeof html>;

const style = `
:root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#f6f8fa;--card:#fff;--accent:#0b57d0;--on-accent:#fff;--warn:#7a4b00;--warn-page:#fff4dc;--bad:#a40e26;--bad-page:#ffebe9}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9da7b1;--line:#3d444d;--page:#0d1117;--card:#161b22;--accent:#7cb0ff;--on-accent:#0b1a33;--warn:#f2cc60;--warn-page:#2d2410;--bad:#ff9492;--bad-page:#3a1618}}
*{box-sizing:border-box}
body{margin:0;padding:2rem 1rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{max-width:30rem;margin:0 auto;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;overflow-wrap:anywhere}
.product{margin:0 0 1.25rem;color:var(--soft);font-size:.875rem}
h1{margin:0 0 1rem;font-size:1.375rem;line-height:1.3}
h2{margin:1.5rem 0 .5rem;font-size:1rem}
p,ul,dl{margin:0 0 1rem}
ul{padding-left:1.25rem}
dt{color:var(--soft);font-size:.875rem}
dd{margin:0 0 .75rem}
code{font:.9375rem/1.5 ui-monospace,monospace}
label{display:block;margin:0 0 .25rem;font-weight:600}
input{display:block;width:100%;margin:0 0 1rem;padding:.625rem .75rem;border:1px solid var(--soft);border-radius:.5rem;background:var(--card);color:var(--text);font:inherit}
.hint{margin:-.75rem 0 1rem;color:var(--soft);font-size:.875rem}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}
button{flex:1 1 8rem;padding:.625rem 1rem;border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;cursor:pointer}
button.quiet{background:transparent;color:var(--accent)}
button.link{flex:none;padding:0;border:0;background:none;color:var(--accent);font-weight:400;text-decoration:underline}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.warning,.error{padding:.75rem 1rem;border-radius:.5rem}
.warning{background:var(--warn-page);color:var(--warn)}
.error{background:var(--bad-page);color:var(--bad)}
.inline{display:inline}
`;

const styleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

/** A whole document. No script in it: the only one is a file of ours, on the pages that say so. */
export function layout(title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Portcullis</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
<p class="product">Portcullis</p>
${content}
</main>
</body>
</html>
`;
}

export interface PageAnswer {
  readonly status: number;
  readonly page: Html;
  /** CSP sources that this page's forms may lead to, besides ourselves: Chromium applies it to redirects too. */
  readonly formTargets?: readonly string[];
  /** The page loads our script. */
  readonly script?: boolean;
  /** Where the browser goes on to by itself. */
  readonly refresh?: string;
}

export function endPage(res: ServerResponse, answer: PageAnswer): void {
  const { status, page, formTargets = [], script = false, refresh } = answer;
  // Escaping for HTML lets through what turns text around or is not seen: what no template has taken out is written out.
  const text = neutralLines(page.toString());
  res.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Content-Security-Policy': [
      "default-src 'none'",
      `style-src ${styleHash}`,
      ...(script ? ["script-src 'self'"] : []),
      `form-action ${["'self'", ...formTargets].join(' ')}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join('; '),
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cache-Control': 'no-store',
    ...(refresh !== undefined && { Refresh: `0; url=${refresh}` }),
  });
  res.end(text);
}
