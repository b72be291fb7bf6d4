import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, messageOf } from '../base/index.ts';
import { type ProbeRequest, probe } from '../outbound/index.ts';
import type { NamedSecret } from './evidence.ts';
import type { Exchange } from './exchange.ts';

export interface Ask {
  /** The target by default. */
  readonly url?: string | URL;
  readonly method?: string;
  /** The request target as it is sent, where a URL would tidy it up. */
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
  /** Sent as Bearer, to the target's own URL alone. */
  readonly token?: NamedSecret;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  /** How long a body may take once the header is there: an event stream goes on for ever. */
  readonly bodyMs?: number;
  readonly enough?: (body: string) => boolean;
  /** Without the pause between requests: bursts alone. */
  readonly unpaced?: boolean;
  /** A credential goes to the endpoint of its own issuer: what refreshes, revokes, signs in and removes a client says so. */
  readonly toIssuer?: true;
}

/** The one way to ask: paced, bounded, and never with a user's token anywhere but at the target. Never fails: see `Exchange.failure`. */
export interface Door {
  ask(request: Ask): Promise<Exchange>;
  /** A credential that came up on the way, such as a refreshed token: it is guarded and redacted from now on. */
  keep(secret: NamedSecret): void;
  readonly secrets: readonly NamedSecret[];
  /** Waits, but no longer than the run goes on. */
  pause(ms: number): Promise<void>;
  /** Why nothing is asked any more: the time is over, or somebody stopped it. */
  readonly over: string | null;
  readonly asked: number;
  readonly answered: number;
}

export interface DoorOptions {
  readonly target: URL;
  /** The target has a private address: then what it names may be private as well. */
  readonly isPrivate: boolean;
  /** Those that a private target had at the start: its name is not asked again. */
  readonly addresses?: readonly string[];
  /** Somebody at the terminal stops the run. */
  readonly signal?: AbortSignal;
  readonly secrets: readonly NamedSecret[];
  readonly clock: Clock;
  /** Pause between two requests. */
  readonly paceMs: number;
  /** On the monotonic clock: nothing is asked after it. */
  readonly deadline: number;
  readonly userAgent: string;
}

export const limits = { timeoutMs: 10_000, bodyMs: 5_000, maxBytes: 256 * 1024, requests: 4_000 } as const;

export function createDoor(options: DoorOptions): Door {
  const { target, clock, paceMs } = options;
  const secrets = [...options.secrets];
  let [asked, answered, next] = [0, 0, 0];
  const over = (): string | null => {
    if (options.signal?.aborted) return 'the run was stopped';
    if (asked >= limits.requests) return `${limits.requests} requests were sent, and more are not`;
    return clock.monotonic() < options.deadline ? null : 'the time of the run was over';
  };
  const pause = async (ms: number): Promise<void> => {
    const left = Math.max(0, Math.min(ms, options.deadline - clock.monotonic()));
    await wait(left, undefined, options.signal && { signal: options.signal }).catch(() => {});
  };
  const pace = async (): Promise<void> => {
    const now = clock.monotonic();
    const turn = Math.max(now, next);
    next = turn + paceMs;
    if (turn > now) await pause(turn - now);
  };
  const send = async (
    request: Ask,
  ): Promise<Pick<Exchange, 'status' | 'headers' | 'body' | 'cut' | 'failure'>> => {
    const none = { status: 0, headers: [], body: '', cut: null };
    try {
      const ended = over();
      if (ended !== null) throw new Error(ended);
      const left = options.deadline - clock.monotonic();
      const wanted = wantedOf(request, options, Math.min(request.timeoutMs ?? limits.timeoutMs, left));
      asked += 1;
      const answer = await probe(wanted);
      answered += 1;
      return { ...answer, failure: null };
    } catch (error) {
      return { ...none, failure: messageOf(error) };
    }
  };
  return {
    secrets,
    pause,
    get over() {
      return over();
    },
    get asked() {
      return asked;
    },
    get answered() {
      return answered;
    },
    keep: (secret) => void secrets.push(secret),
    async ask(request) {
      guardSecrets(request, options, secrets);
      if (request.unpaced !== true) await pace();
      const before = clock.monotonic();
      const answer = await send(request);
      const { path, url = target } = request;
      return {
        request: {
          method: request.method ?? 'POST',
          url: path === undefined ? String(url) : new URL(url).origin + path,
          headers: headersOf(request, options.userAgent),
          body: request.body === undefined ? null : request.body.toString().slice(0, 4096),
        },
        ...answer,
        ms: Math.round(clock.monotonic() - before),
      };
    },
  };
}

function wantedOf(request: Ask, options: DoorOptions, timeoutMs: number): ProbeRequest {
  const url = new URL(request.url ?? options.target);
  if (!/^https?:$/.test(url.protocol)) throw new Error(`${url.protocol} is not asked`);
  if (url.username || url.password) throw new Error('a URL with credentials is not asked');
  // What metadata names is the server's word: https, unless everything here is on a private network anyway.
  if (!options.isPrivate && url.protocol !== 'https:' && url.host !== options.target.host)
    throw new Error(`only https is asked elsewhere (${url.host})`);
  const { path, body, enough } = request;
  return {
    url,
    reach: options.isPrivate ? 'any' : 'public',
    method: request.method ?? 'POST',
    headers: headersOf(request, options.userAgent),
    headersMs: timeoutMs,
    totalMs: Math.min(request.bodyMs ?? limits.bodyMs, timeoutMs),
    maxBytes: request.maxBytes ?? limits.maxBytes,
    ...(options.addresses && url.hostname === options.target.hostname && { addresses: options.addresses }),
    ...(options.signal && { signal: options.signal }),
    ...(path !== undefined && { path }),
    ...(body !== undefined && { body }),
    ...(enough && { enough }),
  };
}

function headersOf({ headers = [], token }: Ask, userAgent: string): (readonly [string, string])[] {
  return [
    ['User-Agent', userAgent],
    ...headers,
    ...(token ? [['Authorization', `Bearer ${token.secret.reveal()}`] as const] : []),
  ];
}

/** A fault of a row, not of the server: so it is thrown. The token goes to the target's URL, over the target's scheme, or nowhere. */
function guardSecrets(
  request: Ask,
  { target, isPrivate }: DoorOptions,
  secrets: readonly NamedSecret[],
): void {
  if (request.toIssuer) {
    if (new URL(request.url ?? target).protocol === 'http:' && !isPrivate)
      throw new Error('a credential is not sent over plain http');
    return;
  }
  if (request.token && target.protocol === 'http:' && !isPrivate)
    throw new Error('a token is not sent over plain http to a public address');
  const url = new URL(request.url ?? target);
  const path = request.path?.split('?')[0] ?? url.pathname;
  if (url.origin === target.origin && path === target.pathname) return;
  const text = JSON.stringify([String(url), request.path, request.headers, request.body?.toString()]);
  if (request.token || secrets.some(({ secret }) => text.includes(secret.reveal())))
    throw new Error(`a credential must not be sent to ${url.origin}${path}`);
}
