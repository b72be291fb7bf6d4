import type { CheckContext } from '../context.ts';
import { type Exchange, isSuccess } from '../exchange.ts';
import { legacyRevision, type McpClient, modernRevision, nobodysTool, rpcOf } from '../mcp.ts';
import { notTested, type Probe, type Problem, pass, verdictOf } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';

export const mirroredHeaders: Probe = {
  id: 'H03',
  title: 'Headers that contradict the body are refused',
  severity: 'high',
  mode: 'token',
  reference: 'MCP 2026-07-28 streamable HTTP, “Server Validation” (400, −32020)',
  guideItems: [6],
  why: 'Something in front that decides by the header lets “read” through, and the server does what the body says: “delete”.',
  remedy: {
    words:
      'Compare Mcp-Method, Mcp-Name and MCP-Protocol-Version with the body and answer 400 with −32020 when they differ or are missing.',
    sdk: 'The 2.x handler does; do not authorize by header in front of it.',
    gateway: 'Decide from the body; let nothing through whose headers differ from it.',
    portcullis: 'Compared before authorization; decisions come from the body.',
  },
  async run(context) {
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    if (client.era === 'legacy')
      return pass('the server does not speak 2026-07-28: nothing decides by these headers');
    const tries = await triesOf(context, client);
    const problems = tries.flatMap(({ what, exchange }) => problemOf(what, exchange));
    const wrong = tries.filter(({ what, exchange }) => problemOf(what, exchange).length > 0);
    return verdictOf(
      problems,
      `${tries.length} contradictions were refused with −32020`,
      (wrong.length > 0 ? wrong : tries.slice(0, 1)).map(({ exchange }) => exchange),
    );
  },
};

async function triesOf(_context: CheckContext, client: McpClient) {
  const call = { name: nobodysTool, arguments: {} };
  const mixed = { _meta: { 'io.modelcontextprotocol/protocolVersion': legacyRevision } };
  const cases: readonly (readonly [
    string,
    string,
    Record<string, unknown>,
    Record<string, string | null>,
  ])[] = [
    ['Mcp-Method: tools/list with a body that calls', 'tools/call', call, { 'Mcp-Method': 'tools/list' }],
    ['Mcp-Name of another tool', 'tools/call', call, { 'Mcp-Name': 'portcullis_check_other' }],
    ['no Mcp-Method', 'tools/list', {}, { 'Mcp-Method': null }],
    ['no Mcp-Name', 'tools/call', call, { 'Mcp-Name': null }],
    ['another version in the body', 'tools/list', mixed, { 'MCP-Protocol-Version': modernRevision }],
  ];
  const tries: { what: string; exchange: Exchange }[] = [];
  for (const [what, method, params, headers] of cases)
    tries.push({ what, exchange: await client.send(method, params, { headers }) });
  return tries;
}

function problemOf(what: string, exchange: Exchange): Problem[] {
  const answer = rpcOf(exchange);
  const read = isSuccess(exchange) || Number(answer?.error?.code) === -32602;
  if (read) return [{ text: `served: ${what}` }];
  if (exchange.status === 400 && Number(answer?.error?.code) === -32020) return [];
  if (exchange.status >= 400 && exchange.status < 500)
    return [
      {
        text: `refused, but with ${exchange.status} and ${String(answer?.error?.code ?? 'no code')}: ${what}`,
        severity: 'low',
      },
    ];
  return [{ text: `answered with ${exchange.status}: ${what}`, severity: 'medium' }];
}
