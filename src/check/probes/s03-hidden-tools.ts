import { type Exchange, isSuccess } from '../exchange.ts';
import { connect, rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { listAs } from '../tools.ts';

export const hiddenTools: Probe = {
  id: 'S03',
  title: 'What is hidden is also denied',
  severity: 'high',
  mode: 'tokens',
  reference: 'OWASP MCP07; MCP 2026-07-28 tools, “Security Considerations”',
  guideItems: [6],
  why: 'Leaving a tool out of the list stops nobody who knows its name.',
  remedy: {
    words: 'Check at the call what was checked for the list, with the same rule.',
    sdk: 'Do not register what the caller may not call; a filter of the list is not enough.',
    fastmcp: 'A middleware needs on_call_tool beside on_list_tools.',
    portcullis: 'One decision serves lists and calls.',
  },
  async run(context) {
    const { good, 'read-only': reader } = context.tokens.tokens;
    if (good === undefined || reader === undefined)
      return notTested(
        'two tokens with different scopes are needed',
        '--lab, or --tokens FILE with "read-only"',
      );
    const [all, some] = [await listAs(context, good), await listAs(context, reader)];
    if (all === null || some === null) return notTested('one of the two tokens gets no list');
    const seen = new Set(some.tools.map(({ name }) => name));
    const hidden = all.tools.filter(({ name }) => !seen.has(name));
    if (hidden.length === 0) return pass('nothing is hidden from the token that may only read');
    const client = await connect(context, reader);
    if (client === null) return notTested('the token that may only read is not taken');
    // An argument that no schema knows: a tool that is reached refuses it, and a denial comes before.
    const args = { portcullis_check: true };
    const reached: { name: string; exchange: Exchange }[] = [];
    let last: Exchange | null = null;
    for (const { name, required } of hidden.filter((tool) => tool.required.length > 0).slice(0, 5)) {
      last = await client.send('tools/call', { name, arguments: args });
      if (wasReached(last, required)) reached.push({ name, exchange: last });
    }
    if (last === null) return notTested('hidden tools take no arguments: a call would run them');
    if (reached.length === 0) return pass(`${hidden.length} hidden tools are denied`, [last]);
    return fail(
      `hidden, but callable: ${reached.map(({ name }) => name).join(', ')}`,
      reached.map(({ exchange }) => exchange),
    );
  },
};

/** A result, or a complaint about the arguments by name, comes from the tool. */
function wasReached(exchange: Exchange, required: readonly string[]): boolean {
  const answer = rpcOf(exchange);
  if (!isSuccess(exchange) || answer === null) return false;
  if (answer.result !== undefined && answer.result['isError'] !== true) return true;
  return required.some((name) => exchange.body.includes(name));
}
