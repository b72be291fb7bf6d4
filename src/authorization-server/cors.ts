import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Any page may call these endpoints: they answer to what is in the request (a code with its verifier, a refresh token),
 * never to a cookie, and `*` forbids browsers to send one (Fetch standard, section 3.3.5).
 */
export function allowAnyOrigin(res: ServerResponse): void {
  res.setHeader('Access-Control-Allow-Origin', '*');
  res.setHeader('Access-Control-Expose-Headers', 'WWW-Authenticate, Retry-After, DPoP-Nonce');
}

/** Answers a preflight; false if the request is none. */
export function answerPreflight(req: IncomingMessage, res: ServerResponse, methods: string): boolean {
  if (req.method !== 'OPTIONS') return false;
  res.writeHead(204, {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, MCP-Protocol-Version, DPoP',
    'Access-Control-Max-Age': '3600',
    Allow: `${methods}, OPTIONS`,
  });
  res.end();
  return true;
}
