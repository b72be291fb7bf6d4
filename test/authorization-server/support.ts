import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../../src/audit/index.ts';
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
  openAccounts,
  type Role,
} from '../../src/authorization-server/index.ts';
import { type Clock, type Log, Secret, silentLog, systemClock } from '../../src/base/index.ts';

export const alice = { name: 'alice', password: 'correct horse battery' };
export const bob = { name: 'bob', password: 'another long password' };

export const scopes = [
  { scope: 'mcp:tools:read', description: 'Call tools that only read' },
  { scope: 'mcp:tools:write', description: 'Call tools that change things' },
  { scope: 'mcp:tools:admin', description: 'Call tools that delete things' },
  { scope: 'mcp:resources:read', description: 'Read resources' },
];

/** As the configuration has them by default. */
export const redirectSchemes = ['cursor', 'vscode', 'claude'];

export interface RunningAuthorizationServer {
  readonly server: AuthorizationServer;
  readonly url: string;
  readonly issuer: string;
  readonly resource: string;
  readonly dataDir: string;
  readonly events: AuditEvent[];
  close(): Promise<void>;
}

type SignInConfig = Partial<AuthorizationServerOptions['config']>;

export interface StartOptions {
  readonly resources?: readonly string[];
  readonly options?: Partial<AuthorizationServerOptions>;
  readonly machines?: Partial<AuthorizationServerOptions['config']['machines']>;
  readonly clients?: Partial<AuthorizationServerOptions['config']['clients']>;
  /** In the public URL; `localhost` where passkeys are tested, which no address can have. */
  readonly host?: string;
  readonly signIn?: SignInConfig | ((url: string) => Promise<SignInConfig>);
  readonly accounts?: readonly { name: string; password: string; role: Role }[];
  readonly clock?: Clock;
  readonly log?: Log;
  readonly dataDir?: string;
  /** Address that requests seem to come from. */
  readonly address?: (req: IncomingMessage) => string;
}

/** An authorization server on a port of its own, with alice (admin) and bob (user), and its data directory. */
export async function startAuthorizationServer(
  start: StartOptions = {},
): Promise<RunningAuthorizationServer> {
  const dataDir = start.dataDir ?? mkdtempSync(join(tmpdir(), 'portcullis-as-'));
  const clock = start.clock ?? systemClock;
  const accounts = openAccounts(dataDir, clock);
  const people = start.accounts ?? [
    { ...alice, role: 'admin' },
    { ...bob, role: 'user' },
  ];
  if (accounts.list().length === 0) {
    for (const { name, password, role } of people) {
      await accounts.add({ name, password: new Secret(password), role });
    }
  }
  accounts.close();

  let handle: AuthorizationServer['handle'] = async () => {};
  const http = createServer((req, res) => {
    void handle(req, res, { address: start.address?.(req) ?? req.socket.remoteAddress ?? '' });
  });
  const url = (await listen(http)).replace('127.0.0.1', start.host ?? '127.0.0.1');
  const signIn = typeof start.signIn === 'function' ? await start.signIn(url) : start.signIn;
  const events: AuditEvent[] = [];
  const names = scopes.map(({ scope }) => scope);
  const server = await createAuthorizationServer({
    publicUrl: url,
    resources: (start.resources ?? ['/mcp']).map((path) => ({
      resource: url + path,
      name: `server ${path}`,
    })),
    scopes,
    baseline: ['mcp:tools:read', 'mcp:resources:read'],
    scopesForRole: { admin: names, user: names.filter((scope) => scope !== 'mcp:tools:admin') },
    config: {
      accessTokenMinutes: 15,
      refreshTokenDays: 30,
      signIn: ['password'],
      passwords: { denyList: null },
      oidc: null,
      dpop: 'allowed',
      machines: { clients: [], enterprise: [], ...start.machines },
      ...signIn,
      clients: {
        metadataDocuments: true,
        dynamicRegistration: { maxPerHour: 60, maxPerHourAndAddress: 60, unusedDays: 7 },
        redirectSchemes,
        ...start.clients,
      },
    },
    dataDir,
    clock,
    log: start.log ?? silentLog,
    audit: (event) => events.push(event),
    ...start.options,
  }).catch((error: unknown) => {
    http.close();
    throw error;
  });
  handle = (req, res, context) => server.handle(req, res, context);
  return {
    server,
    url,
    issuer: server.issuer,
    resource: `${url}${start.resources?.[0] ?? '/mcp'}`,
    dataDir,
    events,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await server.close();
      if (start.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function listen(http: Server): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

/** What a browser keeps: cookies by name and path, follows nothing by itself. */
export class Browser {
  readonly #cookies = new Map<string, { name: string; value: string; path: string }>();

  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const { pathname } = new URL(url);
    const cookies = [...this.#cookies.values()].filter(({ path }) => pathname.startsWith(path));
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        ...(cookies.length > 0 && {
          cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; '),
        }),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  submit(action: string, fields: Record<string, string>): Promise<Response> {
    return this.request(action, { method: 'POST', body: new URLSearchParams(fields) });
  }

  get cookies(): readonly string[] {
    return [...this.#cookies.values()].map(({ name }) => name);
  }

  /** As a page of another host below the same domain could. @param line a Set-Cookie header */
  plant(line: string): void {
    this.#keep(line);
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(pair.indexOf('=') + 1);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice(8);
    const key = `${name} ${path}`;
    if (value === '' || (expires !== undefined && Date.parse(expires) < Date.now()))
      this.#cookies.delete(key);
    else this.#cookies.set(key, { name, value, path });
  }
}

/** Where a refused authorization request would go back to: at once, or by the link of the page that says so. */
export async function errorTarget(response: Response): Promise<URL> {
  const location = response.headers.get('location');
  if (location !== null) return new URL(location);
  const [, link] = /<a href="([^"]*)"/.exec(await response.text()) ?? [];
  assert.ok(link, 'neither a redirect nor a link');
  return new URL(unescapeHtml(link));
}

/** The forms of a page: action and hidden fields. */
export function formsOf(html: string): { action: string; fields: Record<string, string> }[] {
  return [...html.matchAll(/<form method="post" action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)].map(
    ([, action = '', inside = '']) => ({
      action: unescapeHtml(action),
      fields: Object.fromEntries(
        [...inside.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
          ([, name = '', value = '']) => [name, unescapeHtml(value)],
        ),
      ),
    }),
  );
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

export interface SignInOptions {
  /** Kept over several calls, it stays signed in. */
  readonly browser?: Browser;
  readonly decision?: 'allow' | 'deny';
}

/**
 * Does what a person does with the URL that a client opens: signs in, looks at the consent page, allows. Without a
 * browser and without JavaScript. Returns the URL that the browser would be sent back to, with `code` or `error`.
 */
export async function signInAndConsent(
  authorizationUrl: string | URL,
  credentials: { readonly name: string; readonly password: string },
  { browser = new Browser(), decision = 'allow' }: SignInOptions = {},
): Promise<URL> {
  const origin = new URL(authorizationUrl).origin;
  let url = String(authorizationUrl);
  let response = await browser.request(url);
  for (let step = 0; step < 12; step += 1) {
    const location = response.headers.get('location');
    if (location !== null) {
      const next = new URL(location, url);
      if (next.origin !== origin || !/^\/(oauth|account|setup)(\/|$)/.test(next.pathname)) return next;
      url = next.href;
      response = await browser.request(url);
      continue;
    }
    const html = await response.text();
    const [form] = formsOf(html).filter(({ action }) => /\/(login|consent)$/.test(action));
    assert.ok(response.status === 200 && form, `no form to fill in at ${url} (${response.status}): ${html}`);
    url = form.action;
    response = await browser.submit(form.action, { ...form.fields, ...credentials, decision });
  }
  throw new Error('the authorization request does not come to an end');
}

export interface Registered {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly [member: string]: unknown;
}

export const redirectUri = 'http://127.0.0.1:7777/callback';

export function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

export async function register(
  as: RunningAuthorizationServer,
  metadata: Record<string, unknown> = {},
): Promise<Registered> {
  const response = await postJson(`${as.issuer}/register`, {
    client_name: 'Test client',
    redirect_uris: [redirectUri],
    // Another client each time: identical registrations are one.
    software_id: randomBytes(8).toString('hex'),
    ...metadata,
  });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as Registered;
}

export interface CodeRequest {
  readonly url: URL;
  readonly verifier: string;
}

/** An authorization request as a client makes it; a parameter that is null is left out. */
export function codeRequest(
  as: Pick<RunningAuthorizationServer, 'issuer' | 'resource'>,
  clientId: string,
  parameters: Record<string, string | null> = {},
): CodeRequest {
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(`${as.issuer}/authorize`);
  const all: Record<string, string | null> = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state: 'opaque-state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: as.resource,
    ...parameters,
  };
  for (const [name, value] of Object.entries(all)) if (value !== null) url.searchParams.set(name, value);
  return { url, verifier };
}

export interface TokenAnswer {
  readonly status: number;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly error?: string;
  readonly error_description?: string;
}

export async function requestToken(
  as: RunningAuthorizationServer,
  parameters: Record<string, string>,
): Promise<TokenAnswer> {
  const response = await fetch(`${as.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams(parameters),
  });
  return { status: response.status, ...((await response.json()) as Omit<TokenAnswer, 'status'>) };
}

/** Code, consent and token in one go. */
export async function obtainToken(
  as: RunningAuthorizationServer,
  clientId: string,
  {
    parameters = {},
    credentials = alice,
    browser,
  }: { parameters?: Record<string, string | null>; credentials?: typeof alice; browser?: Browser } = {},
): Promise<TokenAnswer> {
  const request = codeRequest(as, clientId, parameters);
  const answer = await signInAndConsent(request.url, credentials, browser === undefined ? {} : { browser });
  const code = answer.searchParams.get('code');
  assert.ok(code, `no code: ${answer}`);
  return requestToken(as, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    redirect_uri: parameters['redirect_uri'] ?? redirectUri,
    code_verifier: request.verifier,
  });
}

export function refresh(
  as: RunningAuthorizationServer,
  clientId: string,
  token: string,
  more: Record<string, string> = {},
): Promise<TokenAnswer> {
  return requestToken(as, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: token,
    ...more,
  });
}

/** A clock that a test can move, on top of the real one. */
export function movableClock(): Clock & { advance(ms: number): void } {
  let offset = 0;
  return {
    now: () => systemClock.now() + offset,
    monotonic: () => systemClock.monotonic() + offset,
    advance(ms) {
      offset += ms;
    },
  };
}
