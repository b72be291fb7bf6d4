import type { CheckContext } from '../context.ts';
import { bearerOf } from '../discovery/challenge.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { connect, nobodysTool, rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';
import { listAs } from '../tools.ts';

export const unknownTool: Probe = {
  id: 'S04',
  title: 'A tool that does not exist is called so',
  severity: 'low',
  mode: 'token',
  reference: 'MCP 2026-07-28 tools, “Error Handling” (−32602)',
  guideItems: [],
  why: 'A 403 or 500 for a typing error sends clients to the sign-in page again and again; a different answer for hidden tools gives them away.',
  remedy: {
    words:
      'Answer a call of an unknown tool with the JSON-RPC error −32602, and a hidden one in the same way.',
    sdk: 'Throw a protocol error with InvalidParams instead of a tool result.',
    portcullis: 'Unknown and hidden tools get the same −32602.',
  },
  async run(context) {
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    const exchange = await client.send('tools/call', { name: nobodysTool, arguments: {} });
    const problem = problemOf(exchange);
    if (problem !== null) return fail(problem, [exchange]);
    const told = await hiddenCalls(context);
    if (told.length === 0) return pass('−32602', [exchange]);
    return fail('a hidden tool is answered otherwise than one that does not exist: it is given away', told);
  },
};

const mostHidden = 5;

/**
 * Calls of tools that the reading token does not see, answered otherwise than that of a tool which nobody has. A 403 that names the
 * scope to ask for is no secret let slip: that is how a client is told to step up.
 */
async function hiddenCalls(context: CheckContext): Promise<Exchange[]> {
  const { good, 'read-only': reader } = context.tokens.tokens;
  if (good === undefined || reader === undefined) return [];
  // Where hidden tools can be called at all, their answers differ for that reason.
  if (['S01', 'S03'].some((id) => context.verdict(id)?.verdict === 'fail')) return [];
  const [all, some] = [await listAs(context, good), await listAs(context, reader)];
  const client = await connect(context, reader);
  if (all === null || some === null || client === null) return [];
  const seen = new Set(some.tools.map(({ name }) => name));
  const hidden = all.tools.filter(({ name, required }) => !seen.has(name) && required.length > 0);
  const args = { portcullis_check: true };
  const unknown = await client.send('tools/call', { name: nobodysTool, arguments: args });
  const told: Exchange[] = [];
  for (const { name } of hidden.slice(0, mostHidden)) {
    const exchange = await client.send('tools/call', { name, arguments: args });
    if (!isStepUp(exchange) && shapeOf(exchange, name) !== shapeOf(unknown, nobodysTool)) told.push(exchange);
  }
  return told.length === 0 ? [] : [...told, unknown];
}

function isStepUp(exchange: Exchange): boolean {
  const parameters = bearerOf(headerOf(exchange, 'www-authenticate'))?.parameters;
  return exchange.status === 403 && parameters?.get('error') === 'insufficient_scope';
}

/** Status and error, the tool’s own name aside. */
function shapeOf(exchange: Exchange, name: string): string {
  const answer = rpcOf(exchange);
  return JSON.stringify([exchange.status, answer?.error ?? answer?.result ?? null]).replaceAll(name, 'NAME');
}

function problemOf(exchange: Exchange): string | null {
  const answer = rpcOf(exchange);
  if (Number(answer?.error?.code) === -32602) return null;
  if (isSuccess(exchange) && answer?.result?.['isError'] === true) return null;
  if (isSuccess(exchange) && answer?.result !== undefined) return 'a tool that does not exist gives a result';
  const code = answer?.error === undefined ? 'no JSON-RPC error' : String(answer.error.code);
  return `an unknown tool is answered with ${exchange.status} and ${code}, not with −32602`;
}
