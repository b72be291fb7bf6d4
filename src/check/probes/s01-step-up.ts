import { bearerOf } from '../discovery/challenge.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { connect, rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { toolOf } from '../tools.ts';

export const stepUp: Probe = {
  id: 'S01',
  title: 'A token that may only read cannot write',
  severity: 'high',
  mode: 'tokens',
  reference: 'MCP 2026-07-28 authorization, “Scope Challenge Handling”; OWASP MCP02',
  guideItems: [6],
  why: 'One scope for everything gives each stolen token, and each misled agent, everything.',
  remedy: {
    words:
      'Require a scope for each tool before its arguments are looked at; answer 403 with error="insufficient_scope", the scopes to ask for and resource_metadata.',
    express:
      'Look at req.auth.scopes in each handler, or in a middleware that reads the tool’s name from the body.',
    fastmcp: 'Tool-level authorization: auth=require_scopes("mcp:tools:write").',
    sdk: 'extra.authInfo.scopes in each tool; requireBearerAuth has one list for the whole endpoint.',
    gateway: 'Map each tool to a scope; unmapped ones are denied.',
    portcullis: 'tools: [{ match: "delete_*", scope: mcp:tools:admin }].',
  },
  async run(context) {
    const token = context.tokens.tokens['read-only'];
    if (token === undefined)
      return notTested('there is no token that may only read', '--lab, or --tokens FILE with "read-only"');
    const tool = await toolOf(context, 'writes');
    if (tool === null)
      return notTested('no tool that writes may be called', '--tool NAME of a tool that writes');
    const client = await connect(context, token);
    if (client === null) return notTested('the token that may only read is not taken');
    const exchange = await client.send('tools/call', { name: tool.name, arguments: tool.args });
    if (isSuccess(exchange) && rpcOf(exchange)?.result !== undefined)
      return fail(`${tool.name} was called with a token that may only read`, [exchange]);
    return verdictOf(problemsOf(exchange), '403, and the scope to ask for', [exchange]);
  },
};

function problemsOf(exchange: Exchange): Problem[] {
  if (exchange.status !== 403) {
    const text = `refused, but with ${exchange.status} instead of 403: clients do not ask for more`;
    return [{ text, severity: 'medium' }];
  }
  const parameters = bearerOf(headerOf(exchange, 'www-authenticate'))?.parameters;
  const missing = [
    ...(parameters?.get('error') === 'insufficient_scope' ? [] : ['error="insufficient_scope"']),
    ...(parameters?.get('scope') ? [] : ['scope']),
    ...(parameters?.get('resource_metadata') ? [] : ['resource_metadata']),
  ];
  return missing.length === 0 ? [] : [{ text: `the 403 lacks ${missing.join(', ')}`, severity: 'low' }];
}
