import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { equalInConstantTime, randomToken } from '../base/index.ts';
import { cookieName, cookieValue } from './cookies.ts';
import { readForm } from './request-body.ts';

/** Ties the forms that we show to the browser that we showed them to. */
export interface FormGuard {
  /** The value of a form's hidden `csrf` field; sets the cookie that it is tied to where there is none. */
  token(req: IncomingMessage, res: ServerResponse, purpose: string): string;
  /** The browser's name for itself, which it alone knows; sets the cookie where there is none. */
  browser(req: IncomingMessage, res: ServerResponse): string;
  /** The same, or null where there is none. */
  knownBrowser(req: IncomingMessage): string | null;
  /** The fields of a submitted form, or null if it was not made by `token` for this browser and purpose. */
  read(req: IncomingMessage, purpose: string): Promise<URLSearchParams | null>;
}

export function createFormGuard(options: { readonly publicUrl: string; readonly key: string }): FormGuard {
  const name = cookieName('portcullis_form', options.publicUrl);
  const secure = options.publicUrl.startsWith('https:') ? '; Secure' : '';
  const tokenFor = (browser: string, purpose: string) =>
    createHmac('sha256', options.key).update(`${browser}\n${purpose}`).digest('base64url');
  const knownBrowser = (req: IncomingMessage) => {
    const browser = cookieValue(req.headers.cookie, name);
    return browser === null || browser.length < 32 || browser.length > 64 ? null : browser;
  };
  const browserOf = (req: IncomingMessage, res: ServerResponse) => {
    const known = knownBrowser(req);
    if (known !== null) return known;
    const browser = randomToken();
    res.appendHeader('Set-Cookie', `${name}=${browser}; Path=/; HttpOnly; SameSite=Lax${secure}`);
    // A page may have several forms: they are tied to the same cookie.
    req.headers.cookie = [`${name}=${browser}`, req.headers.cookie].filter(Boolean).join('; ');
    return browser;
  };
  return {
    token: (req, res, purpose) => tokenFor(browserOf(req, res), purpose),
    browser: browserOf,
    knownBrowser,
    async read(req, purpose) {
      const form = await readForm(req);
      const browser = cookieValue(req.headers.cookie, name);
      if (form === null || browser === null || isFromAnotherSite(req)) return null;
      return equalInConstantTime(form.get('csrf') ?? '', tokenFor(browser, purpose)) ? form : null;
    },
  };
}

/** Browsers say where a request comes from (Fetch Metadata); programs without a browser do not. */
function isFromAnotherSite(req: IncomingMessage): boolean {
  const site = req.headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}
