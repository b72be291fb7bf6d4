import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent, Dispatcher } from 'undici';
import { readJson } from '../base/index.ts';
import { isPublicAddress } from './address.ts';
import { OutboundError } from './error.ts';
import { publicLookup } from './lookup.ts';

export interface OutboundRequest {
  readonly url: string;
  /**
   * `configured`: the operator wrote the URL, private addresses are theirs to name.
   * `anyone`: the URL came from outside (client metadata, discovery): public addresses and https only.
   */
  readonly trust: 'configured' | 'anyone';
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface OutboundExchange extends OutboundRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The one guarded way out: JWKS, issuer metadata, token endpoints. No redirects, no cookies, bounded in time and size. */
export interface Outbound {
  fetchJson(wanted: OutboundRequest): Promise<unknown>;
  /** The answer as it came, whatever its status. For the libraries that take a `fetch`. */
  exchange(wanted: OutboundExchange): Promise<Response>;
  close(): Promise<void>;
}

export function createOutbound(): Outbound {
  let loading: Promise<Way> | null = null;
  const way = (): Promise<Way> => {
    loading ??= openWay();
    return loading;
  };
  return {
    async fetchJson(wanted) {
      const url = checkedUrl(wanted);
      const body = await read(url, wanted, await way());
      try {
        return readJson(body);
      } catch {
        throw new OutboundError(`${url.host} did not answer with JSON`);
      }
    },
    async exchange(wanted) {
      const url = checkedUrl(wanted);
      const { method, headers, body = null } = wanted;
      const { request, agents } = await way();
      const answer = await request(url, {
        dispatcher: agents[wanted.trust],
        signal: AbortSignal.timeout(wanted.timeoutMs),
        method: method as 'GET' | 'POST',
        headers,
        body,
      });
      const text = await bounded(url, answer.body, wanted.maxBytes);
      const { statusCode: status } = answer;
      return new Response(text === '' ? null : text, { status, headers: shownHeaders(answer.headers) });
    },
    async close() {
      if (loading === null) return;
      const { agents } = await loading;
      await Promise.all([agents.configured.destroy(), agents.anyone.destroy()]);
    },
  };
}

interface Way {
  readonly request: typeof import('undici').request;
  readonly agents: Readonly<Record<OutboundRequest['trust'], Agent>>;
}

/** Loaded at the first use: a gateway that asks nobody does without 20 MB. */
async function openWay(): Promise<Way> {
  const { Agent, request } = await import('undici');
  const agent = (lookup?: LookupFunction): Agent =>
    new Agent({
      allowH2: false,
      connect: lookup ? { timeout: 3000, lookup } : { timeout: 3000 },
      connections: 4,
      keepAliveTimeout: 1000,
    });
  return { request, agents: { configured: agent(), anyone: agent(publicLookup(systemLookup)) } };
}

function checkedUrl(wanted: OutboundRequest): URL {
  const url = new URL(wanted.url);
  if (url.username || url.password)
    throw new OutboundError(`a URL with credentials is not fetched (${url.host})`);
  if (wanted.trust === 'configured') return url;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol !== 'https:') throw new OutboundError(`only https is fetched (${url.host})`);
  // An address in the URL is never looked up, so the guard in `publicLookup` would not see it.
  if (isIP(host) !== 0 && !isPublicAddress(host))
    throw new OutboundError(`${url.host} is not a public address`);
  return url;
}

async function read(url: URL, wanted: OutboundRequest, { request, agents }: Way): Promise<string> {
  const dispatcher: Dispatcher = agents[wanted.trust];
  const signal = AbortSignal.timeout(wanted.timeoutMs);
  const answer = await request(url, { dispatcher, signal, headers: { accept: 'application/json' } });
  const text = await bounded(url, answer.body, wanted.maxBytes);
  if (answer.statusCode !== 200)
    throw new OutboundError(`${url.host} answered with status ${answer.statusCode}`);
  return text;
}

async function bounded(url: URL, body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new OutboundError(`${url.host} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Without cookies, and without what spoke of the bytes on the wire. */
function shownHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const shown = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (['set-cookie', 'content-encoding', 'content-length', 'transfer-encoding'].includes(name)) continue;
    for (const one of [value ?? []].flat()) shown.append(name, one);
  }
  return shown;
}
