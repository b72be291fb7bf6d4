import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Refusal, refuse } from '../base/index.ts';
import { type IncomingRequest, type Reply, RequestHeaders } from '../pipeline/index.ts';

import { certificateOf } from './tls.ts';

/** node:http → what the pipeline takes. */
export function incomingRequest(request: IncomingMessage, search: string, address: string): IncomingRequest {
  return {
    httpMethod: request.method ?? '',
    search,
    headers: new RequestHeaders(request.rawHeaders),
    address,
    certificate: () => certificateOf(request),
    body: (maxBytes, take) => readBody(request, maxBytes, take),
  };
}

function readBody(
  request: IncomingMessage,
  maxBytes: number,
  take: (bytes: number) => Refusal | null,
): Promise<Buffer | Refusal> {
  return new Promise((resolve) => {
    const tooLarge = refuse('body_too_large', `The body is larger than ${maxBytes} bytes`);
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      resolve(tooLarge);
      return;
    }
    if (request.destroyed) {
      resolve(endedEarly()); // gone while something else was waited for: no event will come any more
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const keep = (chunk: Buffer): void => {
      size += chunk.length;
      const refusal = size > maxBytes ? tooLarge : take(chunk.length);
      chunks.push(chunk);
      if (refusal === null) return;
      chunks.length = 0;
      request.off('data', keep);
      if (isSmall(request)) request.resume();
      else request.pause();
      resolve(refusal);
    };
    request.on('data', keep);
    request.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)),
    );
    request.on('error', () => resolve(endedEarly()));
    request.on('close', () => resolve(endedEarly()));
  });
}

const endedEarly = (): Refusal => refuse('malformed_request', 'The body ended early');

/** A client that takes nothing of its answer for this long is gone, whatever its connection says. */
const defaultStallMs = 60_000;
/** What is left of a declared body up to here is thrown away, so that the client gets to read why. */
const discardedBytes = 4 * 1024 * 1024;

/** ServerResponse → where the pipeline's answer goes. */
export class NodeReply implements Reply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: NodeReplyOptions;

  constructor(request: IncomingMessage, response: ServerResponse, options: NodeReplyOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#response.headersSent || this.#response.destroyed) {
      this.#response.destroy();
      return;
    }
    if (!this.#request.complete && !isSmall(this.#request)) this.#response.shouldKeepAlive = false;
    this.#response.writeHead(status, { ...headers, ...this.#options.headers });
    if (headers['content-type'] === 'text/event-stream') this.#response.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    if (this.#response.destroyed || this.#response.write(chunk)) return true;
    this.#expectReading();
    return false;
  }

  end(chunk?: Buffer): void {
    if (this.#response.destroyed) return;
    if (chunk && chunk.length > 0) this.#response.end(chunk);
    else this.#response.end();
    if (this.#response.writableLength > 0) this.#expectReading();
  }

  cut(): void {
    this.#response.destroy();
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', () => {
      this.#response.setTimeout(0);
      listener();
    });
  }

  onGone(listener: () => void): void {
    if (this.#response.destroyed) {
      listener();
      return;
    }
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  /** node:http destroys a connection on which nothing moves for this long. */
  #expectReading(): void {
    this.#response.setTimeout(this.#options.stallMs ?? defaultStallMs);
  }
}

export interface NodeReplyOptions {
  /** Headers of every answer: CORS, HSTS. */
  readonly headers: Readonly<Record<string, string>>;
  readonly stallMs?: number;
}

function isSmall(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? Number.NaN) <= discardedBytes;
}
