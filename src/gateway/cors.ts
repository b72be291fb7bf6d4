/** Headers that let a page of an allowed origin use the MCP endpoint (Fetch standard, CORS protocol). Never with credentials. */
export function corsHeaders(origin: string | null): Record<string, string> {
  if (origin === null) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers':
      'WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id, MCP-Protocol-Version, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id',
    vary: 'Origin',
  };
}

export function preflightHeaders(origin: string, requested: string | undefined): Record<string, string> {
  return {
    ...corsHeaders(origin),
    'access-control-allow-methods': 'POST, GET, DELETE',
    'access-control-allow-headers': allowedHeaders(requested),
    'access-control-max-age': '600',
  };
}

const named = ['authorization', 'dpop', 'content-type', 'accept', 'last-event-id'];

/** `Mcp-Param-*` cannot be listed beforehand: what is asked for is granted if it is one of MCP's names. */
function allowedHeaders(requested: string | undefined): string {
  const asked = (requested ?? '').toLowerCase().split(',').slice(0, 64);
  const mcp = asked.map((name) => name.trim()).filter((name) => /^mcp-[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name));
  return [...named, ...mcp].join(', ');
}
