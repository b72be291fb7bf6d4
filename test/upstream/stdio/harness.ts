import { type Log, type Secret, systemClock } from '../../../src/base/index.ts';
import type { StdioUpstreamConfig } from '../../../src/config/index.ts';
import type { Json, JsonObject, Message, MessageId } from '../../../src/protocol/index.ts';
import type { AnswerHead, Exchange, UpstreamFailure, UpstreamRequest } from '../../../src/upstream/index.ts';
import { createStdioUpstream, type StdioLimits, type StdioUpstream } from '../../../src/upstream/stdio.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface Started {
  readonly upstream: StdioUpstream;
  readonly lines: LogLine[];
}

export interface StartOptions extends Partial<Omit<StdioUpstreamConfig, 'kind' | 'command'>> {
  readonly limits?: Partial<StdioLimits>;
  readonly env?: Record<string, Secret>;
  readonly environment?: Record<string, string>;
}

const quick: Partial<StdioLimits> = {
  probeTimeoutMs: 1500,
  restartDelayMs: 50,
  closeGraceMs: 300,
  terminateGraceMs: 300,
};

export const everything = [
  process.execPath,
  'node_modules/@modelcontextprotocol/server-everything/dist/index.js',
  'stdio',
] as const;

export function fixture(name: string, ...args: string[]): [string, ...string[]] {
  return [process.execPath, new URL(`fixtures/${name}.mjs`, import.meta.url).pathname, ...args];
}

/** An upstream with short delays; the caller closes it. */
export function upstreamFor(command: readonly [string, ...string[]], options: StartOptions = {}): Started {
  const lines: LogLine[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields: fields as Record<string, unknown> });
  };
  const log: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
  const { limits, environment, ...config } = options;
  const upstream = createStdioUpstream({
    name: 'test',
    config: {
      kind: 'stdio',
      command,
      env: {},
      cwd: null,
      isolation: 'shared',
      protocol: 'auto',
      requestTimeoutMs: 10_000,
      ...config,
    },
    clock: systemClock,
    log,
    environment: environment ?? { PATH: process.env['PATH'] ?? '' },
    limits: { ...quick, ...limits },
  });
  return { upstream, lines };
}

/** Everything that one exchange gave, and what it gives while it runs. */
export class Received {
  head: AnswerHead | null = null;
  body = '';
  failure: UpstreamFailure | null = null;
  ended = false;
  exchange: Exchange | null = null;
  accepts = true;
  readonly done: Promise<this>;
  #finish: () => void = () => {};
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.done = new Promise((resolve) => {
      this.#finish = () => resolve(this);
    });
  }

  readonly sink = {
    head: (head: AnswerHead) => {
      if (this.head) throw new Error('head given twice');
      this.head = head;
      this.#wake();
    },
    data: (chunk: Buffer) => {
      if (this.ended) throw new Error('data after the end');
      this.body += chunk.toString();
      this.#wake();
      return this.accepts;
    },
    end: () => this.#end(),
    fail: (failure: UpstreamFailure) => {
      this.failure = failure;
      this.#end();
    },
  };

  /** The JSON body. */
  get json(): JsonObject {
    return JSON.parse(this.body) as JsonObject;
  }

  /** The messages of the event stream so far. */
  get events(): JsonObject[] {
    return [...this.body.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1] ?? '') as JsonObject);
  }

  /** The last message, of a stream or a body. */
  get last(): JsonObject {
    return this.head?.contentType === 'application/json' ? this.json : (this.events.at(-1) ?? {});
  }

  get result(): JsonObject {
    const { last } = this;
    if (!last['result']) throw new Error(`no result: ${this.body} ${JSON.stringify(this.failure)}`);
    return last['result'] as JsonObject;
  }

  get errorCode(): unknown {
    return (this.last['error'] as JsonObject | undefined)?.['code'];
  }

  /** Waits until `condition` holds of what has come. */
  async until(condition: (received: this) => boolean, ms = 5000): Promise<this> {
    const deadline = setTimeout(() => this.#wake(), ms);
    const limit = systemClock.monotonic() + ms;
    try {
      while (!condition(this)) {
        if (this.ended || systemClock.monotonic() >= limit) {
          throw new Error(`did not come: ${this.body} ${JSON.stringify(this.failure)}`);
        }
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
      return this;
    } finally {
      clearTimeout(deadline);
    }
  }

  #end(): void {
    if (this.ended) throw new Error('ended twice');
    this.ended = true;
    this.#finish();
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** `params` of an event, or an empty object. */
export function paramsOf(event: JsonObject | undefined): JsonObject {
  return (event?.['params'] ?? {}) as JsonObject;
}

export interface SendOptions {
  readonly session?: string | null;
  readonly principalKey?: string | null;
  readonly headers?: Record<string, string>;
  readonly httpMethod?: UpstreamRequest['httpMethod'];
}

/** Sends the JSON text of one message, as a client of the given era. */
export function sendText(
  upstream: StdioUpstream,
  era: 'modern' | 'legacy',
  text: string | null,
  options: SendOptions = {},
): Received {
  const received = new Received();
  received.exchange = upstream.exchange(
    {
      requestId: 'r',
      httpMethod: options.httpMethod ?? 'POST',
      body: text === null ? null : Buffer.from(text),
      message: text === null ? null : messageOf(JSON.parse(text) as JsonObject),
      era,
      revision: era === 'modern' ? '2026-07-28' : '2025-11-25',
      session: options.session ?? null,
      principalKey: options.principalKey ?? null,
      headers: options.headers ?? {},
    },
    received.sink,
  );
  return received;
}

function messageOf(value: JsonObject): Message {
  const params = (value['params'] ?? {}) as JsonObject;
  if (typeof value['method'] !== 'string') {
    return { kind: 'response', id: value['id'] as MessageId, isError: Object.hasOwn(value, 'error') };
  }
  if (!Object.hasOwn(value, 'id')) return { kind: 'notification', method: value['method'], params };
  return { kind: 'request', id: value['id'] as MessageId, method: value['method'], params };
}

let nextId = 1;

export class TestClient {
  readonly upstream: StdioUpstream;
  readonly era: 'modern' | 'legacy';
  readonly options: SendOptions;

  constructor(upstream: StdioUpstream, era: 'modern' | 'legacy', options: SendOptions = {}) {
    this.upstream = upstream;
    this.era = era;
    this.options = options;
  }

  send(method: string, params: JsonObject = {}, id: Json = nextId++): Received {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const own = (params['_meta'] ?? {}) as JsonObject;
    const full = this.era === 'modern' ? { ...params, _meta: { ...meta, ...own } } : params;
    return this.raw(JSON.stringify({ jsonrpc: '2.0', id, method, params: full }));
  }

  call(tool: string, args: JsonObject = {}, id: Json = nextId++): Received {
    return this.send('tools/call', { name: tool, arguments: args }, id);
  }

  raw(text: string | null, options: SendOptions = {}): Received {
    return sendText(this.upstream, this.era, text, { ...this.options, ...options });
  }

  notify(method: string, params: JsonObject = {}): Received {
    return this.raw(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }
}

export function modernClient(upstream: StdioUpstream, principalKey: string | null = null): TestClient {
  return new TestClient(upstream, 'modern', { principalKey });
}

export interface LegacyOptions {
  readonly principalKey?: string | null;
  readonly capabilities?: JsonObject;
  readonly protocolVersion?: string;
}

/** Opens a session, as a legacy client does. */
export async function legacyClient(
  upstream: StdioUpstream,
  options: LegacyOptions = {},
): Promise<TestClient> {
  const principalKey = options.principalKey ?? null;
  const first = await new TestClient(upstream, 'legacy', { principalKey }).send('initialize', {
    protocolVersion: options.protocolVersion ?? '2025-11-25',
    capabilities: options.capabilities ?? {},
    clientInfo: { name: 'test', version: '1' },
  }).done;
  const session = first.head?.session;
  if (!session) throw new Error(`no session: ${first.body} ${JSON.stringify(first.failure)}`);
  const client = new TestClient(upstream, 'legacy', { principalKey, session });
  await client.notify('notifications/initialized').done;
  return client;
}
