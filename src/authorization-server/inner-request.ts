import { IncomingMessage } from 'node:http';
import { issuerPath } from './options.ts';

/** What proxies and frameworks read the address, scheme or path of a request from; none of it is believed. */
const unbelieved =
  /^(x-forwarded-|x-real-ip$|x-original-|x-rewrite-|x-http-method|forwarded$|origin$|expect$|transfer-encoding$)/;

export interface InnerRequestOptions {
  readonly publicUrl: URL;
  /** Path below the issuer's, with the query: `/token`. */
  readonly target: string;
  /** Replaces the body. */
  readonly body: Buffer | null;
}

/**
 * The request as oidc-provider gets to see it: a new one, with the configured public origin in place of whatever the
 * caller's Host and forwarding headers say, because its URLs (and DPoP's `htu`) follow them. `originalUrl` ends with
 * `url`, from which it computes the prefix that it is mounted under.
 */
export function innerRequest(req: IncomingMessage, options: InnerRequestOptions): IncomingMessage {
  const inner = new IncomingMessage(req.socket);
  const headers: IncomingMessage['headers'] = {};
  for (const [name, value] of Object.entries(req.headers)) {
    if (!unbelieved.test(name)) headers[name] = value;
  }
  headers.host = options.publicUrl.host;
  headers['x-forwarded-proto'] = options.publicUrl.protocol.slice(0, -1);
  if (options.body !== null) headers['content-length'] = String(options.body.length);
  else delete headers['content-length'];
  inner.headers = headers;
  inner.rawHeaders = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
  inner.httpVersion = req.httpVersion;
  inner.method = req.method ?? 'GET';
  inner.url = options.target;
  Object.assign(inner, { originalUrl: issuerPath + options.target });
  if (options.body !== null) inner.push(options.body);
  inner.push(null);
  inner.complete = true;
  return inner;
}
