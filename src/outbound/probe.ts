import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import { isPublicAddress } from './address.ts';
import { OutboundError } from './error.ts';
import { lookupFor } from './lookup.ts';

/** One request on a connection of its own, as no ordinary client would send it. */
export interface ProbeRequest {
  /** Where the connection goes. Its path is sent unless `path` says otherwise. */
  readonly url: URL;
  /** `public`: the connection is refused unless every address of the host is public. */
  readonly reach: 'any' | 'public';
  readonly method: string;
  /** The request target as it is, such as `//mcp`, which a URL would tidy up. */
  readonly path?: string;
  /** In this order; a name may stand twice. `Host` is added when it is not there. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
  readonly headersMs: number;
  readonly totalMs: number;
  readonly maxBytes: number;
  /** Reading stops once this says yes: an event stream does not end by itself. */
  readonly enough?: (body: string) => boolean;
  /** Of the URL's host, in place of what its name says: a name that changes its mind leads nowhere else. */
  readonly addresses?: readonly string[];
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

export interface ProbeAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** Why the body is not whole, if it is not. */
  readonly cut: 'bytes' | 'time' | 'enough' | 'connection' | null;
}

const maxHeaderBytes = 64 * 1024;

/**
 * Sends it and reads the answer within the bounds. Follows no redirect, keeps no cookie and no connection.
 * @throws OutboundError when there is no answer at all
 */
export function probe(wanted: ProbeRequest): Promise<ProbeAnswer> {
  const { url } = wanted;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // An address in the URL is never looked up, so the guard in `publicLookup` would not see it.
  if (wanted.reach === 'public' && isIP(host) !== 0 && !isPublicAddress(host))
    return Promise.reject(new OutboundError(`${url.host} is not a public address`));
  return new Promise((resolve, reject) => {
    const outgoing = open(wanted);
    const fail = (message: string): void => {
      outgoing.destroy();
      reject(new OutboundError(message));
    };
    const timer = setTimeout(
      () => fail(`${url.host} sent no whole header in ${wanted.headersMs} ms`),
      wanted.headersMs,
    );
    outgoing.once('response', (incoming) => {
      clearTimeout(timer);
      void readAnswer(incoming, wanted).then((answer) => {
        outgoing.destroy();
        resolve(answer);
      });
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(error instanceof OutboundError ? error : new OutboundError(messageFor(error, url)));
    });
    outgoing.end(wanted.body);
  });
}

function open(wanted: ProbeRequest): ClientRequest {
  const { url, headers, body } = wanted;
  const named = (name: string) => headers.some(([one]) => one.toLowerCase() === name);
  const all: (readonly [string, string])[] = [
    ...(named('host') ? [] : [['Host', url.host] as const]),
    ...headers,
    ...(body === undefined || named('content-length')
      ? []
      : [['Content-Length', String(Buffer.byteLength(body))] as const]),
    ['Connection', 'close'],
  ];
  const start = url.protocol === 'https:' ? tlsRequest : plainRequest;
  return start({
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    method: wanted.method,
    path: wanted.path ?? url.pathname + url.search,
    headers: all.flat(),
    agent: false,
    maxHeaderSize: maxHeaderBytes,
    ...lookupFor(wanted.reach, wanted.addresses),
    ...(wanted.signal && { signal: wanted.signal }),
  });
}

/** Never fails: what has come when the connection breaks or a bound is reached is the answer. */
function readAnswer(incoming: IncomingMessage, wanted: ProbeRequest): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (cut: ProbeAnswer['cut']): void => {
      clearTimeout(timer);
      clearInterval(looking);
      incoming.removeAllListeners('data');
      // What a destroyed stream still says is of no interest, but must not be thrown.
      incoming.on('error', () => {});
      incoming.destroy();
      resolve({
        status: incoming.statusCode ?? 0,
        headers: pairs(incoming.rawHeaders),
        body: Buffer.concat(chunks).toString('utf8'),
        cut,
      });
    };
    const timer = setTimeout(() => finish('time'), wanted.totalMs);
    incoming.on('data', (chunk: Buffer) => {
      const room = wanted.maxBytes - size;
      size += chunk.length;
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      if (size > wanted.maxBytes) finish('bytes');
    });
    // Not at every chunk: a server that sends single bytes would have us read everything again for each.
    let looked = 0;
    const looking = setInterval(() => {
      if (size === looked) return;
      looked = size;
      if (wanted.enough?.(Buffer.concat(chunks).toString('utf8'))) finish('enough');
    }, 20);
    incoming.once('end', () => finish(null));
    incoming.once('error', () => finish('connection'));
    incoming.once('close', () => finish('connection'));
  });
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) found.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return found;
}

function messageFor(error: NodeJS.ErrnoException, url: URL): string {
  return `${url.host} cannot be asked: ${error.code ?? error.message}`;
}
