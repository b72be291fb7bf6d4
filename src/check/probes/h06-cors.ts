import type { CheckContext } from '../context.ts';
import { type Exchange, headerOf } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { type Probe, type Problem, verdictOf } from '../probe.ts';

const evil = 'https://evil.example';

export const cors: Probe = {
  id: 'H06',
  title: 'Strange pages may not read answers',
  severity: 'medium',
  mode: 'none',
  reference: 'Fetch standard, CORS protocol; MCP 2026-07-28 streamable HTTP, “Security Warning”',
  guideItems: [],
  why: 'With credentials, any page that somebody visits reads what the server tells them.',
  remedy: {
    words:
      'Name the pages that may call; never repeat the Origin, never allow credentials, and expose WWW-Authenticate and Mcp-Session-Id to those that are named.',
    express:
      'cors({ origin: ["https://app.example.com"], exposedHeaders: ["WWW-Authenticate", "Mcp-Session-Id"] }).',
    fastmcp: 'CORSMiddleware(allow_origins=[…], expose_headers=[…]), not ["*"] with allow_credentials.',
    portcullis: 'http.allowedOrigins: [https://app.example.com].',
  },
  async run(context) {
    const preflight = await context.door.ask({
      method: 'OPTIONS',
      headers: [
        ['Origin', evil],
        ['Access-Control-Request-Method', 'POST'],
        ['Access-Control-Request-Headers', 'authorization,content-type,mcp-protocol-version'],
      ],
    });
    const simple = await ask(context);
    const problems = [...problemsOf(preflight), ...problemsOf(simple), ...hidden(simple)];
    const unique = [...new Map(problems.map((one) => [one.text, one])).values()];
    return verdictOf(unique, 'no leave for strange pages', [preflight, simple]);
  },
};

function ask({ door }: CheckContext): Promise<Exchange> {
  return door.ask(mcpAsk({ method: 'tools/list', era: 'modern', headers: { Origin: evil } }));
}

function problemsOf(exchange: Exchange): Problem[] {
  const allowed = headerOf(exchange, 'access-control-allow-origin');
  const credentials = headerOf(exchange, 'access-control-allow-credentials') === 'true';
  if (allowed === evil && credentials)
    return [{ text: 'any Origin is repeated, with credentials', severity: 'high' }];
  if (allowed === evil) return [{ text: 'any Origin is repeated in Access-Control-Allow-Origin' }];
  if (allowed === '*' && credentials) return [{ text: 'every Origin is allowed together with credentials' }];
  return [];
}

/** Pages may call, but cannot see where to sign in. */
function hidden(exchange: Exchange): Problem[] {
  const allowed = headerOf(exchange, 'access-control-allow-origin');
  const exposed = (headerOf(exchange, 'access-control-expose-headers') ?? '').toLowerCase();
  if (exchange.status !== 401 || allowed === null) return [];
  if (exposed.includes('www-authenticate') || exposed.trim() === '*') return [];
  return [{ text: 'pages may call, but WWW-Authenticate is not exposed to them', severity: 'low' }];
}
