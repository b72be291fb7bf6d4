import assert from 'node:assert/strict';
import { Secret } from '../../src/base/index.ts';
import type { IdentityProviderConfig } from '../../src/config/index.ts';
import { type Browser, type CodeRequest, formsOf } from './support.ts';

export const callbackPath = '/oauth/signin/oidc/callback';

export function providerConfig(
  issuer: string,
  change: Partial<IdentityProviderConfig> = {},
): IdentityProviderConfig {
  return {
    issuer,
    name: 'Example Corp',
    clientId: 'portcullis',
    clientSecret: new Secret('aSecretOfTheClient'),
    scopes: ['openid'],
    authorizationParameters: {},
    claims: { name: 'preferred_username', groups: 'groups', organization: null },
    adminGroups: ['admins'],
    allow: { domains: null, groups: null },
    recheckMinutes: 60,
    ...change,
  };
}

/** Follows redirects within one origin; stops at a page or at the first step elsewhere. */
export async function follow(
  browser: Browser,
  url: string,
): Promise<{ response: Response; url: string; html: string }> {
  const { origin } = new URL(url);
  let at = url;
  for (let step = 0; step < 10; step += 1) {
    const response = await browser.request(at);
    const location = response.headers.get('location');
    if (location === null) return { response, url: at, html: await response.text() };
    at = new URL(location, at).href;
    if (new URL(at).origin !== origin || new URL(at).port !== new URL(url).port) {
      return { response, url: at, html: '' };
    }
  }
  throw new Error('goes in circles');
}

/** Opens the authorization request and presses the button of the provider. Returns where the browser is sent. */
export async function goToProvider(browser: Browser, request: Pick<CodeRequest, 'url'>): Promise<URL> {
  const { html } = await follow(browser, request.url.href);
  const form = formsOf(html).find(({ action }) => action.endsWith('/provider'));
  assert.ok(form, html);
  const page = await browser.submit(form.action, form.fields);
  assert.equal(page.status, 200, await page.clone().text());
  return new URL((page.headers.get('refresh') ?? '').replace(/^0; url=/, ''));
}

/** Comes back from the provider, allows, and returns the client's redirect; or the page on which it ends. */
export async function comeBack(
  browser: Browser,
  callback: string,
): Promise<{ redirect: URL | null; status: number; html: string }> {
  let page = await follow(browser, callback);
  const form = formsOf(page.html).find(({ action }) => action.endsWith('/consent'));
  if (form === undefined) {
    const outside = new URL(page.url).origin !== new URL(callback).origin;
    return { redirect: outside ? new URL(page.url) : null, status: page.response.status, html: page.html };
  }
  const answer = await browser.submit(form.action, { ...form.fields, decision: 'allow' });
  page = await follow(browser, new URL(answer.headers.get('location') ?? '', form.action).href);
  return { redirect: new URL(page.url), status: page.response.status, html: page.html };
}
