import type { CheckContext } from '../context.ts';
import { headerOf } from '../exchange.ts';
import { flood } from '../flood.ts';
import { fail, notTested, type Probe, type Problem, pass, verdictOf } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';

/** Beyond that a person, or an agent, has no business. The first 429 ends it. */
export const mostRequests = 1500;

export const burst: Probe = {
  id: 'L01',
  title: 'A client that asks too much is slowed down',
  severity: 'high',
  mode: 'writes',
  reference:
    'MCP 2026-07-28 tools, “Security Considerations” (rate limit tool invocations); RFC 6585; RFC 9110 section 10.2.3',
  guideItems: [7, 12],
  why: 'An agent in a loop, or a stolen token, uses all that there is: money, quota, other people’s turn.',
  remedy: {
    words: 'Limit each caller, each tool and each organization; answer 429 with a true Retry-After.',
    express:
      'A limiter keyed by req.auth.clientId and subject, behind the token check; express-rate-limit keys by address unless told otherwise.',
    fastmcp: 'RateLimitingMiddleware(max_requests_per_second=…, get_client_id=…).',
    gateway: 'A limit keyed by a claim of the token, not by the address alone.',
    portcullis:
      'limits: { client: 600/min, organization: 60000/min } and tools: [{ match: "delete_*", limit: 60/min }].',
  },
  async run(context) {
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    const { limited, sent, silent } = await context.once(floodOnce);
    if (silent) return notTested(`the server stopped answering after ${sent} requests`);
    if (limited === null) return fail(`${sent} requests in a row were served`);
    const header = headerOf(limited, 'retry-after');
    const problems: Problem[] = [];
    const seconds = header === null ? Number.NaN : retrySeconds(header, context.clock.now());
    if (header === null) problems.push({ text: 'the 429 has no Retry-After', severity: 'medium' });
    else if (!(seconds > 0))
      problems.push({ text: 'Retry-After is no time in the future', severity: 'medium' });
    if (problems.length > 0 || !(seconds <= 65))
      return verdictOf(problems, `429 after ${sent} requests`, [limited]);
    await context.door.pause(seconds * 1000);
    const after = await client.send('tools/list');
    if (after.status === 429)
      return fail({ text: 'Retry-After is not true: still 429 when it is over', severity: 'medium' }, [
        limited,
        after,
      ]);
    return pass(`429 after ${sent} requests, and served again after the ${seconds} s of Retry-After`, [
      limited,
    ]);
  },
};

/** One flood serves several rows: it is not repeated. */
export async function floodOnce(context: CheckContext) {
  const client = await context.once(somebody);
  if (client === null) return { limited: null, sent: 0, silent: true };
  return flood(() => client.send('tools/list', {}, { unpaced: true }), mostRequests);
}

function retrySeconds(header: string, now: number): number {
  if (/^\d{1,6}$/.test(header)) return Number(header);
  return Math.ceil((Date.parse(header) - now) / 1000);
}
