import type { IncomingMessage } from 'node:http';
import { type Refusal, refuse } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Peer } from './peer.ts';

/** What is checked of every request before its path means anything. */
export interface Front {
  /** @returns null if the request may go on */
  check(request: IncomingMessage, peer: Peer): Refusal | null;
  /** The Origin that may read the answer, or null. */
  allowedOrigin(request: IncomingMessage): string | null;
}

const loopbackOrigin = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

export function createFront(config: Config): Front {
  const url = new URL(config.publicUrl);
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  // RFC 9110 section 4.2.3: the port of the scheme may be written out.
  const written = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
  const hosts = new Set([url.host, written, ...(isLoopback ? loopbackHosts(config.listen.port) : [])]);
  const origins = new Set([url.origin, ...config.http.allowedOrigins]);
  const isAllowedOrigin = (origin: string): boolean =>
    origins.has(origin) || (isLoopback && loopbackOrigin.test(origin));

  return {
    check(request, peer) {
      // RFC 9112 section 3.2. The parser is told to let it pass, so that this, too, is refused here and goes on record.
      if (request.headers.host === undefined && request.httpVersion === '1.1') {
        return refuse('malformed_request', 'The request has no Host header');
      }
      const fault = framingFault(request);
      if (fault !== null) return refuse('malformed_request', fault);
      if (url.protocol === 'https:' && !peer.encrypted) {
        return refuse('host_denied', 'This server is reached over https only');
      }
      // A trusted proxy may call us by another name; URLs never come from Host in any case.
      if (!peer.throughTrustedProxy && !hosts.has(request.headers.host?.toLowerCase() ?? '')) {
        return refuse('host_denied', 'The Host header does not name this server');
      }
      const { origin } = request.headers;
      if (origin !== undefined && !isAllowedOrigin(origin)) {
        return refuse('origin_denied', 'The Origin header names no page that may call this server');
      }
      return null;
    },
    allowedOrigin(request) {
      const { origin } = request.headers;
      return origin !== undefined && isAllowedOrigin(origin) ? origin : null;
    },
  };
}

/**
 * Where the body ends must be the same for whatever stands in front of us; Node's parser takes these all the same. RFC 9112
 * section 6.1: no other coding than chunked is known here, and HTTP/1.0 knows none.
 * @returns what is wrong, or null
 */
function framingFault({ headers, httpVersion }: IncomingMessage): string | null {
  const coding = headers['transfer-encoding']?.trim().toLowerCase();
  if (httpVersion !== '1.1' && (httpVersion !== '1.0' || coding !== undefined))
    return 'The request is of another version of HTTP than 1.1';
  return coding === undefined || coding === 'chunked' ? null : 'The only transfer coding is chunked';
}

function loopbackHosts(port: number): string[] {
  return ['localhost', '127.0.0.1', '[::1]'].map((host) => (port === 80 ? host : `${host}:${port}`));
}
