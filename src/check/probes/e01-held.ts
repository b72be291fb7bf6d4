import type { CheckContext } from '../context.ts';
import { type Exchange, isRecord, isSuccess } from '../exchange.ts';
import { rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';
import { toolOf } from '../tools.ts';

export const held: Probe = {
  id: 'E01',
  title: 'A tool that destroys waits for a person',
  severity: 'high',
  mode: 'writes',
  reference:
    'MCP 2026-07-28 tools, “Security Considerations” (human in the loop); CoSAI MCP Security v2.0, L2',
  guideItems: [],
  why: 'A document that an agent reads can tell it to delete. A person who must agree is the last thing between.',
  remedy: {
    words:
      'Hold the call until somebody who is not the model has agreed to exactly these arguments; refuse it where nobody can be asked.',
    sdk: 'Answer with input_required and a signed requestState.',
    fastmcp: 'ctx.elicit before the act, and refuse what does not accept.',
    portcullis: 'tools: [{ match: "delete_*", confirm: other }].',
  },
  async run(context) {
    const tool = await toolOf(context, 'destroys');
    if (tool === null)
      return notTested('no tool that destroys may be called', '--tool NAME of a tool that destroys');
    const tried = await context.once(destructiveCall);
    if (tried === null) return notTested('the server lets nobody in', needsToken);
    const { exchange } = tried;
    switch (outcomeOf(exchange)) {
      case 'held':
        return pass(`${tool.name} was not executed without a person`, [exchange]);
      case 'denied':
        return notTested(
          `${tool.name} is not allowed to the good token (${exchange.status})`,
          'a token that may call it',
        );
      case 'limited':
        return notTested('the limit was used up by other rows');
      case 'reached':
        return fail(`${tool.name} was executed, or refused its arguments itself: nobody was asked`, [
          exchange,
        ]);
      case 'unclear':
        return notTested(
          `it cannot be told from the answer whether ${tool.name} was held (${exchange.status})`,
        );
    }
  },
};

export interface DestructiveCall {
  readonly exchange: Exchange;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Declares that somebody could be asked, so that a server which asks does. */
export const asking = {
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {}, url: {} } },
};

/** Once, for all rows that look at its answer. */
export async function destructiveCall(context: CheckContext): Promise<DestructiveCall | null> {
  const tool = await toolOf(context, 'destroys');
  const client = await context.once(somebody);
  if (tool === null || client === null) return null;
  const params = { name: tool.name, arguments: tool.args };
  const exchange = await client.send(
    'tools/call',
    client.era === 'modern' ? { ...params, _meta: asking } : params,
  );
  return { exchange, ...tool };
}

export type CallOutcome = 'held' | 'denied' | 'limited' | 'reached' | 'unclear';

/** What an answer says about a call. Only what shows that nothing ran counts as held. */
export function outcomeOf(exchange: Exchange): CallOutcome {
  if (exchange.status === 429) return 'limited';
  const answer = rpcOf(exchange);
  const result = answer?.result;
  if (result?.['resultType'] === 'input_required') return 'held';
  if (saysHeld(exchange, result?.['isError'] === true || answer?.error !== undefined)) return 'held';
  if (exchange.status === 401 || exchange.status === 403) return 'denied';
  if (!isSuccess(exchange)) return 'unclear';
  return answer === null ? 'unclear' : 'reached';
}

function saysHeld(exchange: Exchange, isError: boolean): boolean {
  if (!isError) return false;
  const words = /\b(approv\w+|confirm\w*|human|was not executed|held for|pending|waiting for)\b/i;
  const answer = rpcOf(exchange);
  const content = answer?.result?.['content'];
  const texts = Array.isArray(content)
    ? content.filter(isRecord).map((one) => String(one['text'] ?? ''))
    : [];
  return words.test([...texts, String(answer?.error?.message ?? '')].join(' '));
}
