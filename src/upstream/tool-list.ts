import {
  isObject,
  type Json,
  type JsonObject,
  legacyRevisions,
  metaKeys,
  modernRevisions,
} from '../protocol/index.ts';
import type { Upstream } from './upstream.ts';
import { askUpstream, type WholeAnswer } from './whole-answer.ts';

const maxPages = 100;
const modern = modernRevisions[0] ?? '';
const legacy = legacyRevisions[0] ?? '';
const client = { name: 'portcullis', version: '1' };

/**
 * Reads the whole tool list of an upstream as the gateway itself: the modern way first, then by a short legacy session.
 * Rejects when the upstream gives no list either way.
 *
 * @returns the entries of every page, as they came
 */
export async function readToolList(upstream: Upstream, newRequestId: () => string): Promise<Json[]> {
  const reader = new Reader(upstream, newRequestId);
  const first = await reader.modern('tools/list', {}).catch(() => null);
  if (first !== null && isObject(first.message?.['result'])) {
    return reader.pages(first, (params) => reader.modern('tools/list', params));
  }
  return reader.legacySession(async (session) => {
    const page = (params: JsonObject) => reader.legacy('tools/list', params, session);
    return reader.pages(await page({}), page);
  });
}

class Reader {
  readonly #upstream: Upstream;
  readonly #newRequestId: () => string;

  constructor(upstream: Upstream, newRequestId: () => string) {
    this.#upstream = upstream;
    this.#newRequestId = newRequestId;
  }

  modern(method: string, params: JsonObject): Promise<WholeAnswer> {
    const _meta = {
      [metaKeys.protocolVersion]: modern,
      [metaKeys.clientInfo]: client,
      [metaKeys.clientCapabilities]: {},
    };
    return this.#send({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }, null, {
      'mcp-protocol-version': modern,
      'mcp-method': method,
    });
  }

  legacy(method: string, params: JsonObject, session: LegacySession): Promise<WholeAnswer> {
    return this.#send({ jsonrpc: '2.0', id: 1, method, params }, session.id, session.headers);
  }

  async legacySession<T>(work: (session: LegacySession) => Promise<T>): Promise<T> {
    const params = { protocolVersion: legacy, capabilities: {}, clientInfo: client };
    const opened = await this.#send({ jsonrpc: '2.0', id: 1, method: 'initialize', params }, null, {});
    const result = opened.message?.['result'];
    if (!isObject(result)) throw new Error('the upstream neither lists its tools nor answers initialize');
    const version = result['protocolVersion'];
    const session: LegacySession = {
      id: opened.head.session,
      headers: { 'mcp-protocol-version': typeof version === 'string' ? version : legacy },
    };
    try {
      await this.#send({ jsonrpc: '2.0', method: 'notifications/initialized' }, session.id, session.headers);
      return await work(session);
    } finally {
      if (session.id !== null)
        await this.#exchange('DELETE', null, session.id, session.headers).catch(() => null);
    }
  }

  async pages(first: WholeAnswer, next: (params: JsonObject) => Promise<WholeAnswer>): Promise<Json[]> {
    const found: Json[] = [];
    let answer = first;
    for (let page = 0; page < maxPages; page++) {
      const result = answer.message?.['result'];
      if (!isObject(result)) {
        if (isMethodNotFound(answer.message)) return found; // a server without tools
        throw new Error('the upstream did not answer tools/list');
      }
      const tools = result['tools'];
      if (Array.isArray(tools)) found.push(...tools);
      const cursor = result['nextCursor'];
      if (typeof cursor !== 'string') return found;
      answer = await next({ cursor });
    }
    throw new Error(`the upstream's tool list has more than ${maxPages} pages`);
  }

  #send(message: JsonObject, session: string | null, headers: Record<string, string>): Promise<WholeAnswer> {
    return this.#exchange('POST', message, session, headers);
  }

  #exchange(
    httpMethod: 'POST' | 'DELETE',
    message: JsonObject | null,
    session: string | null,
    headers: Record<string, string>,
  ): Promise<WholeAnswer> {
    const isModern = headers['mcp-protocol-version'] === modern;
    const method = typeof message?.['method'] === 'string' ? message['method'] : '';
    const params = isObject(message?.['params']) ? message['params'] : {};
    return askUpstream(this.#upstream, {
      requestId: this.#newRequestId(),
      httpMethod,
      body: message && Buffer.from(JSON.stringify(message)),
      message:
        message &&
        ('id' in message
          ? { kind: 'request', id: 1, method, params }
          : { kind: 'notification', method, params }),
      era: isModern ? 'modern' : 'legacy',
      revision: isModern ? modern : legacy,
      session,
      principalKey: null,
      headers,
    });
  }
}

interface LegacySession {
  readonly id: string | null;
  readonly headers: Record<string, string>;
}

function isMethodNotFound(message: JsonObject | null): boolean {
  const error = message?.['error'];
  return isObject(error) && error['code'] === -32601;
}
