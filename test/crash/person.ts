import { randomBytes, randomInt } from 'node:crypto';
import { decodeJwt } from 'jose';
import { Browser, codeRequest, formsOf, redirectUri } from '../authorization-server/support.ts';

/** Somebody with an account, in the store of the run. */
export const person = { name: 'crash', password: 'a password for crashes' };

/** What an answer says has happened: the name of an event, and what it must name. */
export interface Told {
  readonly event: string;
  /** The client, a `jti`, or a path. */
  readonly about: string;
  readonly status: number;
}

export interface VisitOptions {
  readonly origin: string;
  /** Called in the turn in which an answer was read. */
  onTold(told: Told): void;
}

/** From an address of its own, as the proxy says that there is: nobody is slowed down for what others got wrong. */
class Visitor extends Browser {
  readonly #address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;

  override request(url: string, init: RequestInit = {}): Promise<Response> {
    return super.request(url, { ...init, headers: { 'x-forwarded-for': this.#address, ...init.headers } });
  }

  async post(url: string, body: URLSearchParams | string): Promise<{ status: number; text: string }> {
    const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
    const response = await this.request(url, { method: 'POST', body, headers });
    return { status: response.status, text: await response.text() };
  }
}

/** One life of a client: registered, signed in for, allowed or denied, given tokens, ended. Rejects when an answer does not come. */
export async function visit({ origin, onTold }: VisitOptions): Promise<void> {
  const visitor = new Visitor();
  const issuer = `${origin}/oauth`;
  const tell = (event: string, about: string, status: number) => onTold({ event, about, status });

  const path = `/crash-${letters().slice(-24)}`;
  const nothing = await visitor.request(origin + path);
  await nothing.text();
  if (nothing.status === 404) tell('http.refused', path, 404);

  const metadata = { client_name: letters(), redirect_uris: [redirectUri], software_id: letters() };
  const registered = await visitor.post(`${issuer}/register`, JSON.stringify(metadata));
  if (registered.status !== 201) return;
  const client = (JSON.parse(registered.text) as { client_id: string }).client_id;
  tell('client.registered', client, 201);

  const request = codeRequest({ issuer, resource: `${origin}/mcp` }, client, { scope: 'mcp:tools:read' });
  const signIn = await page(visitor, request.url.href, '/login');
  if (!signIn) return;
  const wrong = await visitor.post(signIn.action, form(signIn, { name: letters(), password: 'guessed' }));
  if (wrong.status < 500) tell('signin.failed', client, wrong.status);
  const asks = await visitor.submit(signIn.action, { ...signIn.fields, ...person });
  const next = await redirected(asks);
  if (next === null) return;
  tell('signin.succeeded', client, asks.status);
  const consent = await page(visitor, new URL(next, origin).href, '/consent');
  if (!consent) return;
  tell('consent.shown', client, 200);
  await decide({ visitor, issuer, client, consent, verifier: request.verifier, tell });
}

interface Decision {
  readonly visitor: Visitor;
  readonly issuer: string;
  readonly client: string;
  readonly consent: Form;
  readonly verifier: string;
  tell(event: string, about: string, status: number): void;
}

async function decide(decision: Decision): Promise<void> {
  const { visitor, issuer, client, consent, tell } = decision;
  const isDenied = randomInt(4) === 0;
  const answer = await visitor.submit(consent.action, {
    ...consent.fields,
    decision: isDenied ? 'deny' : 'allow',
  });
  const back = await redirected(answer);
  if (back === null) return;
  tell(isDenied ? 'consent.denied' : 'consent.granted', client, answer.status);
  if (isDenied) return;
  const sent = await visitor.request(new URL(back, issuer).href);
  const location = await redirected(sent);
  const code = location === null ? null : new URL(location, issuer).searchParams.get('code');
  if (code === null) return;
  tell('code.issued', client, sent.status);
  await redeem({ ...decision, code });
}

async function redeem({ visitor, issuer, client, verifier, code, tell }: Decision & { code: string }) {
  const ask = (path: string, fields: Record<string, string>) =>
    visitor.post(issuer + path, new URLSearchParams({ client_id: client, ...fields }));
  const redemption = { grant_type: 'authorization_code', code, redirect_uri: redirectUri };
  const first = tokensOf(await ask('/token', { ...redemption, code_verifier: verifier }));
  if (!first) return;
  tell('token.issued', first.jti, 200);
  const guessed = await ask('/token', { grant_type: 'refresh_token', refresh_token: letters() });
  if (guessed.status === 400) tell('token.refused', client, 400);
  const renewal = { grant_type: 'refresh_token', refresh_token: first.refreshToken };
  const second = tokensOf(await ask('/token', renewal));
  if (!second) return;
  tell('token.refreshed', second.jti, 200);
  if (randomInt(2) === 0) {
    const again = await ask('/token', { ...redemption, code_verifier: verifier });
    if (again.status === 400) tell('code.reused', client, 400);
    return;
  }
  const revoked = await ask('/revoke', { token: second.refreshToken });
  if (revoked.status === 200) tell('token.revoked', client, 200);
}

type Form = ReturnType<typeof formsOf>[number];

const letters = () => randomBytes(16).toString('hex').replaceAll(/\d/g, 'x');
const form = ({ fields }: Form, more: Record<string, string>) => new URLSearchParams({ ...fields, ...more });

/** Follows redirects of the server itself to the page with a form for this step. */
async function page(visitor: Visitor, url: string, step: string): Promise<Form | null> {
  const response = await visitor.request(url);
  const next = await response.clone().text();
  const location = response.headers.get('location');
  if (location !== null) return page(visitor, new URL(location, url).href, step);
  return formsOf(next).find(({ action }) => action.endsWith(step)) ?? null;
}

async function redirected(response: Response): Promise<string | null> {
  await response.text();
  return response.headers.get('location');
}

function tokensOf({ status, text }: { status: number; text: string }) {
  if (status !== 200) return null;
  const { access_token, refresh_token } = JSON.parse(text) as Record<string, string>;
  return { jti: String(decodeJwt(String(access_token)).jti), refreshToken: String(refresh_token) };
}
