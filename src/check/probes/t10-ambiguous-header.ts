import type { CheckContext } from '../context.ts';
import { guarded } from '../discovery/openings.ts';
import type { Ask } from '../door.ts';
import { type Exchange, isSuccess } from '../exchange.ts';
import { mcpAsk, rpcOf } from '../mcp.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { goodTokenWorks } from '../tokens/good.ts';

export const ambiguousHeader: Probe = {
  id: 'T10',
  title: 'An Authorization header that can be read two ways is refused',
  severity: 'medium',
  mode: 'token',
  reference: 'RFC 9110 sections 5.3 and 11.1; RFC 6750 section 2.1',
  guideItems: [5],
  why: 'Of two tokens, one is checked at the edge and the other used behind it.',
  remedy: {
    words:
      'Take exactly one Authorization header with exactly one token; the scheme in any case; refuse the rest with 400 or 401.',
    express: 'Node joins or drops doubled headers: count them in req.rawHeaders.',
    gateway: 'Refuse doubled Authorization headers at the edge.',
    portcullis: 'Exactly one header and one token, or 401.',
  },
  async run(context) {
    const works = await context.once(goodTokenWorks);
    if (works !== true) return works;
    const request = await context.once(guarded);
    const token = context.tokens.tokens.good?.secret.reveal();
    if (request === null || token === undefined) return notTested('nothing here asks for a token, see A01');
    const ask = mcpAsk(request);
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    for (const one of casesOf(token)) {
      const exchange = await send(context, ask, one.values);
      const problem = problemOf(one, exchange);
      if (problem === null) continue;
      problems.push(problem);
      evidence.push(exchange);
    }
    return verdictOf(problems, 'one header, one token, the scheme in any case', evidence);
  },
};

interface Case {
  readonly what: string;
  readonly values: readonly string[];
  readonly good: boolean;
}

function casesOf(token: string): Case[] {
  return [
    { what: 'the scheme in lower case', values: [`bearer ${token}`], good: true },
    { what: 'the scheme in capitals', values: [`BEARER ${token}`], good: true },
    {
      what: 'two headers, the good token first',
      values: [`Bearer ${token}`, 'Bearer portcullis-check'],
      good: false,
    },
    {
      what: 'two headers, the good token last',
      values: ['Bearer portcullis-check', `Bearer ${token}`],
      good: false,
    },
    { what: 'two tokens in one header', values: [`Bearer ${token} portcullis-check`], good: false },
    { what: 'two tokens with a comma', values: [`Bearer ${token}, Bearer portcullis-check`], good: false },
    { what: 'no scheme', values: [token], good: false },
    { what: 'the scheme Basic', values: [`Basic ${token}`], good: false },
    { what: '20 kB behind the token', values: [`Bearer ${token}${'a'.repeat(20_000)}`], good: false },
  ];
}

function send({ door }: CheckContext, ask: Ask, values: readonly string[]): Promise<Exchange> {
  const own = values.map((value) => ['Authorization', value] as const);
  return door.ask({ ...ask, headers: [...(ask.headers ?? []), ...own] });
}

function problemOf({ what, good }: Case, exchange: Exchange): Problem | null {
  // Of the older era the answer may be an error about the session: the token was taken all the same.
  const taken = isSuccess(exchange) && rpcOf(exchange) !== null;
  if (exchange.status >= 500) return { text: `the server failed with ${exchange.status}: ${what}` };
  if (good)
    return exchange.status === 401 ? { text: `refused, though it is valid: ${what}`, severity: 'low' } : null;
  return taken ? { text: `taken: ${what}` } : null;
}
