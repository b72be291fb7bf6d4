import type { CheckContext } from '../context.ts';
import { openings } from '../discovery/openings.ts';
import { isSuccess } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';

const strangeOrigins = ['https://evil.example', 'http://localhost.evil.example', 'null'];

export const origin: Probe = {
  id: 'H01',
  title: 'Strange web pages are refused',
  severity: 'medium',
  mode: 'none',
  reference: 'MCP 2026-07-28 streamable HTTP, “Security Warning”; CVE-2025-49596',
  guideItems: [],
  why: 'A page that somebody visits can send requests to servers on their machine and network. The Origin header gives it away.',
  remedy: {
    words: 'Refuse a request whose Origin is not on a list with 403, whatever else it carries.',
    express:
      'hostHeaderValidation and an origin check before the MCP route; the SDK’s createMcpExpressApp has both for localhost.',
    fastmcp: 'Add a middleware that refuses unknown origins.',
    sdk: 'originValidationResponse, or allowedOrigins and enableDnsRebindingProtection of the 1.x transport.',
    portcullis: 'http.allowedOrigins: []: pages that may call are named, all others are refused.',
  },
  async run(context) {
    const asked = strangeOrigins.map((one) => ask(context, one));
    const exchanges = await Promise.all(asked);
    const refused = exchanges.filter(({ status }) => status === 403);
    if (refused.length === exchanges.length) return pass('403 for each', refused.slice(0, 1));
    const served = exchanges.filter(isSuccess);
    const severity = context.isPrivate ? 'high' : 'medium';
    if (served.length > 0)
      return fail({ text: 'a request from a strange web page is served', severity }, served);
    const unclear = exchanges.every(({ status }) => status === 401 || status === 403);
    if (unclear && context.tokens.tokens.good === undefined)
      return notTested('the 401 comes before the Origin is looked at', needsToken);
    return pass('refused, though not with 403', exchanges.slice(0, 1));
  },
};

async function ask(context: CheckContext, value: string) {
  const client = await context.once(somebody);
  const headers = { Origin: value };
  if (client) return client.send('tools/list', {}, { headers });
  const request = (await context.once(openings))[0]?.request ?? {
    method: 'tools/list',
    era: 'modern' as const,
  };
  return context.door.ask(mcpAsk({ ...request, headers }));
}
