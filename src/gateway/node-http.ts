import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Refusal, refuse } from '../base/index.ts';
import { type IncomingRequest, type Reply, RequestHeaders } from '../pipeline/index.ts';

/** node:http → what the pipeline takes. */
export function incomingRequest(request: IncomingMessage, search: string, address: string): IncomingRequest {
  return {
    httpMethod: request.method ?? '',
    search,
    headers: new RequestHeaders(request.rawHeaders),
    address,
    body: (maxBytes) => readBody(request, maxBytes),
  };
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | Refusal> {
  return new Promise((resolve) => {
    const tooLarge = refuse('body_too_large', `The body is larger than ${maxBytes} bytes`);
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      resolve(tooLarge);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
      } else {
        request.pause();
        resolve(tooLarge);
      }
    });
    request.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)),
    );
    request.on('error', () => resolve(refuse('malformed_request', 'The body ended early')));
    request.on('close', () => resolve(refuse('malformed_request', 'The body ended early')));
  });
}

/** ServerResponse → where the pipeline's answer goes. */
export class NodeReply implements Reply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #extra: Readonly<Record<string, string>>;

  /** @param extra headers of every answer: CORS, HSTS */
  constructor(request: IncomingMessage, response: ServerResponse, extra: Readonly<Record<string, string>>) {
    this.#request = request;
    this.#response = response;
    this.#extra = extra;
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#response.headersSent || this.#response.destroyed) {
      this.#response.destroy();
      return;
    }
    // What is left of a body that nobody reads would be taken for the next request: the connection ends.
    if (!this.#request.complete) this.#response.shouldKeepAlive = false;
    this.#response.writeHead(status, { ...headers, ...this.#extra });
    if (headers['content-type'] === 'text/event-stream') this.#response.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    return this.#response.destroyed || this.#response.write(chunk);
  }

  end(chunk?: Buffer): void {
    if (this.#response.destroyed) return;
    if (chunk && chunk.length > 0) this.#response.end(chunk);
    else this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener);
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
}
