import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { alice, signInAndConsent } from '../authorization-server/support.ts';

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The JSON body, or the last message of a stream of events; `{}` for neither. */
  readonly body: Body;
}

// biome-ignore lint/suspicious/noExplicitAny: what comes back is judged by the test, member by member
type Body = any;

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: object;
  readonly form?: Readonly<Record<string, string>>;
}

export interface Authorization {
  readonly code: string;
  readonly verifier: string;
  readonly iss: string | null;
}

/** Sends what a client sends, nothing added, and keeps the order: `POST /mcp 401`. */
export class Replay {
  readonly lines: string[] = [];
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;
  #id = 0;

  /** @param headers of every request of this client */
  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.url = url;
    this.#headers = headers;
  }

  async ask(method: string, url: string, { headers = {}, json, form }: Ask = {}): Promise<Answer> {
    const body = json ? JSON.stringify(json) : form ? new URLSearchParams(form).toString() : undefined;
    const type = json ? 'application/json' : 'application/x-www-form-urlencoded';
    const sent = request(url, {
      method,
      agent: false,
      headers: { ...this.#headers, ...(body === undefined ? {} : { 'content-type': type }), ...headers },
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk;
    const status = answer.statusCode ?? 0;
    this.lines.push(`${method} ${new URL(url).pathname} ${status}`);
    return { status, headers: answer.headers, body: read(text, answer.headers['content-type'] ?? '') };
  }

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask('GET', url, { headers: { accept: 'application/json', ...headers } });
  }

  /** A JSON-RPC request, or a notification. */
  rpc(message: { method: string; params?: object }, headers: Readonly<Record<string, string>> = {}) {
    const id = message.method.startsWith('notifications/') ? {} : { id: ++this.#id };
    return this.ask('POST', this.url, {
      headers: { accept: 'application/json, text/event-stream', ...headers },
      json: { jsonrpc: '2.0', ...id, ...message },
    });
  }

  initialize(headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const clientInfo = { name: this.#headers['user-agent'] ?? 'replay', version: '1.0.0' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    return this.rpc({ method: 'initialize', params }, headers);
  }

  /** What the person's browser does with the authorization request. */
  async authorize(endpoint: string, parameters: Readonly<Record<string, string>>): Promise<Authorization> {
    const verifier = randomBytes(32).toString('base64url');
    const state = randomBytes(16).toString('base64url');
    const url = new URL(endpoint);
    const code_challenge = createHash('sha256').update(verifier).digest('base64url');
    const all = {
      response_type: 'code',
      code_challenge,
      code_challenge_method: 'S256',
      state,
      ...parameters,
    };
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
    const back = await signInAndConsent(url, alice);
    assert.ok(back.href.startsWith(parameters['redirect_uri'] ?? ''), back.href);
    assert.equal(back.searchParams.get('state'), state);
    const code = back.searchParams.get('code');
    assert.ok(code, back.href);
    return { code, verifier, iss: back.searchParams.get('iss') };
  }

  /** Opens the session with a token; gives the headers of everything after. */
  async session(token: string): Promise<Record<string, string>> {
    const authorization = `Bearer ${token}`;
    const opened = await this.initialize({ authorization });
    assert.equal(opened.status, 200, JSON.stringify(opened.body));
    const session = opened.headers['mcp-session-id'];
    const headers = {
      authorization,
      'mcp-protocol-version': opened.body.result.protocolVersion as string,
      ...(typeof session === 'string' ? { 'mcp-session-id': session } : {}),
    };
    const noted = await this.rpc({ method: 'notifications/initialized' }, headers);
    assert.equal(noted.status, 202);
    return headers;
  }
}

function read(text: string, type: string): Body {
  try {
    if (!type.startsWith('text/event-stream')) return JSON.parse(text);
    const data = text.split('\n').filter((line) => line.startsWith('data:') && line.length > 6);
    return JSON.parse(data.at(-1)?.slice(5) ?? '{}');
  } catch {
    return {};
  }
}

/** A parameter of the challenge. */
export function challenged({ headers }: Answer, name: string): string {
  const found = new RegExp(`[ ,]${name}="([^"]*)"`).exec(headers['www-authenticate'] ?? '');
  return found?.[1] ?? '';
}
