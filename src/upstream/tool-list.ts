import type { ToolFacts } from '../policy/index.ts';
import {
  EventSplitter,
  eventData,
  isObject,
  type Json,
  type JsonObject,
  legacyRevisions,
  metaKeys,
  modernRevisions,
} from '../protocol/index.ts';
import { toolFacts } from './tool-facts.ts';
import type { AnswerHead, Upstream, UpstreamRequest } from './upstream.ts';

const maxAnswerBytes = 16 * 1024 * 1024;
const maxPages = 100;
const modern = modernRevisions[0] ?? '';
const legacy = legacyRevisions[0] ?? '';
const client = { name: 'portcullis', version: '1' };

interface Answer {
  readonly head: AnswerHead;
  /** The JSON-RPC response; null for a 202. */
  readonly message: JsonObject | null;
}

/**
 * Reads the whole tool list of an upstream as the gateway itself: the modern way first, then by a short legacy session.
 * Rejects when the upstream gives no list either way.
 */
export async function readToolList(upstream: Upstream, newRequestId: () => string): Promise<ToolFacts[]> {
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

  modern(method: string, params: JsonObject): Promise<Answer> {
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

  legacy(method: string, params: JsonObject, session: LegacySession): Promise<Answer> {
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

  async pages(first: Answer, next: (params: JsonObject) => Promise<Answer>): Promise<ToolFacts[]> {
    const found: ToolFacts[] = [];
    let answer = first;
    for (let page = 0; page < maxPages; page++) {
      const result = answer.message?.['result'];
      if (!isObject(result)) {
        if (isMethodNotFound(answer.message)) return found; // a server without tools
        throw new Error('the upstream did not answer tools/list');
      }
      const tools = result['tools'];
      for (const tool of Array.isArray(tools) ? tools : []) {
        const facts = toolFacts(tool);
        if (facts) found.push(facts);
      }
      const cursor = result['nextCursor'];
      if (typeof cursor !== 'string') return found;
      answer = await next({ cursor });
    }
    throw new Error(`the upstream's tool list has more than ${maxPages} pages`);
  }

  #send(message: JsonObject, session: string | null, headers: Record<string, string>): Promise<Answer> {
    return this.#exchange('POST', message, session, headers);
  }

  async #exchange(
    httpMethod: 'POST' | 'DELETE',
    message: JsonObject | null,
    session: string | null,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const isModern = headers['mcp-protocol-version'] === modern;
    const method = typeof message?.['method'] === 'string' ? message['method'] : '';
    const params = isObject(message?.['params']) ? message['params'] : {};
    const { head, body } = await collect(this.#upstream, {
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
    return { head, message: responseIn(head, body) };
  }
}

interface LegacySession {
  readonly id: string | null;
  readonly headers: Record<string, string>;
}

function collect(upstream: Upstream, request: UpstreamRequest): Promise<{ head: AnswerHead; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let head: AnswerHead | null = null;
    let size = 0;
    const exchange = upstream.exchange(request, {
      head: (received) => {
        head = received;
      },
      data: (chunk) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxAnswerBytes) {
          exchange.abort();
          reject(new Error('the answer of the upstream is too large'));
        }
        return true;
      },
      end: () => (head ? resolve({ head, body: Buffer.concat(chunks) }) : reject(new Error('no answer'))),
      fail: (failure) => reject(new Error(`${failure.code}: ${failure.detail}`)),
    });
  });
}

function responseIn(head: AnswerHead, body: Buffer): JsonObject | null {
  if (body.length === 0) return null;
  if (head.contentType !== 'text/event-stream') return asObject(body.toString('utf8'));
  const splitter = new EventSplitter(maxAnswerBytes);
  for (const event of [...(splitter.push(body) ?? []), splitter.rest()]) {
    const message = asObject(eventData(event) ?? '');
    if (message && ('result' in message || 'error' in message)) return message;
  }
  return null;
}

function asObject(text: string): JsonObject | null {
  try {
    const json = JSON.parse(text) as Json;
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

function isMethodNotFound(message: JsonObject | null): boolean {
  const error = message?.['error'];
  return isObject(error) && error['code'] === -32601;
}
