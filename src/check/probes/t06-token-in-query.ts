import { guarded } from '../discovery/openings.ts';
import { isSuccess } from '../exchange.ts';
import { mcpAsk, rpcOf } from '../mcp.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { goodTokenWorks } from '../tokens/good.ts';

export const tokenInQuery: Probe = {
  id: 'T06',
  title: 'A token counts in the Authorization header alone',
  severity: 'high',
  mode: 'token',
  reference: 'MCP 2026-07-28 authorization, “Token Requirements”; OAuth 2.1 section 5.1; RFC 6750 section 2',
  guideItems: [9],
  why: 'URLs end up in logs, histories and Referer headers, and the token with them.',
  remedy: {
    words: 'Read the token from the Authorization header and nowhere else.',
    express: 'requireBearerAuth does; remove code that reads req.query.access_token or a cookie.',
    gateway: 'Switch off “token in query parameter” and “token in cookie”.',
    portcullis: 'Only the header is read.',
  },
  async run(context) {
    const works = await context.once(goodTokenWorks);
    if (works !== true) return works;
    const request = await context.once(guarded);
    const token = context.tokens.tokens.good?.secret.reveal();
    if (request === null || token === undefined) return notTested('nothing here asks for a token, see A01');
    const ask = mcpAsk(request);
    const base = context.target.pathname + context.target.search;
    const join = context.target.search === '' ? '?' : '&';
    const form = String(new URLSearchParams({ access_token: token }));
    const formType = ['Content-Type', 'application/x-www-form-urlencoded'] as const;
    const headers = (ask.headers ?? []).filter(([name]) => name.toLowerCase() !== 'content-type');
    const ways = [
      [
        'in the query (access_token)',
        { ...ask, path: `${base}${join}access_token=${encodeURIComponent(token)}` },
      ],
      ['in the query (token)', { ...ask, path: `${base}${join}token=${encodeURIComponent(token)}` }],
      ['in a form', { ...ask, headers: [...headers, formType], body: form }],
      [
        'in a cookie',
        {
          ...ask,
          headers: [...(ask.headers ?? []), ['Cookie', `access_token=${token}; token=${token}`] as const],
        },
      ],
      [
        'in X-Access-Token',
        { ...ask, headers: [...(ask.headers ?? []), ['X-Access-Token', token] as const] },
      ],
    ] as const;
    const problems: Problem[] = [];
    const evidence = [];
    for (const [how, one] of ways) {
      const exchange = await context.door.ask(one);
      if (!isSuccess(exchange) || rpcOf(exchange) === null) continue;
      problems.push({ text: `a token is taken ${how}` });
      evidence.push(exchange);
    }
    return verdictOf(problems, `refused ${ways.map(([how]) => how).join(', ')}`, evidence);
  },
};
