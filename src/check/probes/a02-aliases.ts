import type { CheckContext } from '../context.ts';
import { openings } from '../discovery/openings.ts';
import type { Ask } from '../door.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { mcpAsk, rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

export const aliases: Probe = {
  id: 'A02',
  title: 'No other verb or path leads around the token',
  severity: 'high',
  mode: 'none',
  reference: 'OWASP MCP07; MCP 2026-07-28 authorization, “Token Requirements”',
  guideItems: [1],
  why: 'A check that sits on one path or verb is no check when the same handler answers on another.',
  remedy: {
    words:
      'Put the token check in front of the whole application, not of one route, and take old transports out.',
    express: 'app.use(requireBearerAuth(...)) before any MCP route; delete /sse and /messages.',
    fastmcp: 'Run one transport only: transport="http" without the SSE application beside it.',
    sdk: 'Mount the legacy SSE transport behind the same middleware, or not at all.',
    gateway: 'Route by exact path and refuse what is not on the list.',
    portcullis: 'Exact paths only: everything else is 404.',
  },
  async run(context) {
    const strangers = await context.once(openings);
    if (strangers.some(({ open }) => open)) return notTested('the endpoint itself is open, see A01');
    const open: { how: string; exchange: Exchange }[] = [];
    const asks = variants(context);
    for (const [how, ask] of asks) {
      const exchange = await context.door.ask(ask);
      if (isServed(exchange)) open.push({ how, exchange });
    }
    if (open.length === 0) return pass(`${asks.length} other verbs and paths lead nowhere`);
    return fail(
      open.map(({ how }) => ({ text: `a stranger is served by ${how}` })),
      open.map(({ exchange }) => exchange),
    );
  },
};

function variants({ target }: CheckContext): (readonly [string, Ask])[] {
  const path = target.pathname;
  const parent = path.replace(/\/[^/]*\/?$/, '');
  const encoded = path.replace(/[a-z](?=[^/]*$)/i, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
  const paths = [
    path.endsWith('/') ? path.slice(0, -1) : `${path}/`,
    `/${path}`,
    encoded,
    `${parent}/.${path.slice(parent.length)}`,
    `${parent}/x/..${path.slice(parent.length)}`,
    `${path};x=1`,
    `${path}%2f`,
    path.toUpperCase(),
    `${path}?a=/healthz`,
    `${parent}/sse`,
    `${parent}/message`,
    `${parent}/messages`,
    '/sse',
    '/message',
    '/messages',
  ];
  const list = mcpAsk({ method: 'tools/list', era: 'modern' });
  const post = [...new Set(paths)]
    .filter((one) => one !== path && one !== '')
    .map((one) => [`POST ${one}`, { ...list, path: one }] as const);
  const stream = { headers: [['Accept', 'text/event-stream']] as const, bodyMs: 600 };
  const verbs = ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD'].map(
    (method) => [method, { ...list, method, ...(method === 'HEAD' && { body: '' }) }] as const,
  );
  const streams = [path, `${parent}/sse`, '/sse'].map(
    (one) => [`GET ${one}`, { ...stream, method: 'GET', path: one }] as const,
  );
  const override = ['X-HTTP-Method-Override', 'OPTIONS'] as const;
  return [
    ...post,
    ...verbs.map(([method, ask]) => [`${method} ${path}`, ask] as const),
    ...streams,
    ['POST with X-HTTP-Method-Override', { ...list, headers: [...(list.headers ?? []), override] }],
  ];
}

/** A page that says something else is no MCP: many sites answer 200 to everything. */
function isServed(exchange: Exchange): boolean {
  if (!isSuccess(exchange)) return false;
  const stream = (headerOf(exchange, 'content-type') ?? '').includes('text/event-stream');
  return stream || rpcOf(exchange)?.result !== undefined;
}
