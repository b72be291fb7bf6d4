import type { CheckContext } from '../context.ts';
import { type Exchange, isRecord } from '../exchange.ts';
import { connect, type McpClient, rpcOf } from '../mcp.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';
import { asking, type DestructiveCall, destructiveCall, outcomeOf } from './e01-held.ts';

export const approvalBinding: Probe = {
  id: 'E02',
  title: 'An approval counts once, for one call of one person',
  severity: 'critical',
  mode: 'writes',
  reference: 'MCP 2026-07-28 multi round-trip requests, “Request State”',
  guideItems: [],
  why: 'An approval that also covers other arguments, other people or a second time is a blank cheque.',
  remedy: {
    words: 'Sign requestState over principal, tool, exact arguments and expiry, and use each up.',
    sdk: 'requestState is yours to protect: an HMAC over all of it, and a store of those used.',
    portcullis:
      'confirm: calls are refused while there is no way to ask; a made-up approval changes nothing.',
  },
  async run(context) {
    const call = await context.once(destructiveCall);
    const client = await context.once(somebody);
    if (call === null || client === null)
      return notTested(
        'no tool that destroys may be called',
        client === null ? needsToken : '--tool NAME of a tool that destroys',
      );
    const outcome = outcomeOf(call.exchange);
    if (outcome !== 'held') return notTested('the call was not held in the first place, see E01');
    const tries = await triesOf(context, client, call);
    const problems: Problem[] = tries
      .filter(({ exchange }) => outcomeOf(exchange) === 'reached')
      .map(({ what }) => ({ text: `executed with ${what}` }));
    const shown = tries
      .filter(({ exchange }) => outcomeOf(exchange) === 'reached')
      .map(({ exchange }) => exchange);
    return verdictOf(problems, `refused with ${tries.map(({ what }) => what).join(', ')}`, [
      ...shown,
      call.exchange,
    ]);
  },
};

interface Try {
  readonly what: string;
  readonly exchange: Exchange;
}

async function triesOf(context: CheckContext, client: McpClient, call: DestructiveCall): Promise<Try[]> {
  const result = rpcOf(call.exchange)?.result ?? {};
  const state = typeof result['requestState'] === 'string' ? result['requestState'] : null;
  const inputResponses = responsesTo(result['inputRequests']);
  const send = (as: McpClient, change: Record<string, unknown>) =>
    as.send('tools/call', {
      name: call.name,
      arguments: call.args,
      inputResponses,
      _meta: asking,
      ...change,
    });
  const tries: Try[] = [
    {
      what: 'a made-up approval',
      exchange: await send(client, {
        requestState: 'cG9ydGN1bGxpcy1jaGVjaw',
        inputResponses: { confirm: { action: 'accept', content: { confirm: true } } },
      }),
    },
  ];
  if (state === null) return tries;
  const changed = changedArguments(call.args);
  tries.push({ what: 'a changed state', exchange: await send(client, { requestState: flipped(state) }) });
  tries.push({
    what: 'changed arguments',
    exchange: await send(client, { requestState: state, arguments: changed }),
  });
  const other = context.tokens.tokens['other-principal'];
  const stranger = other ? await connect(context, other) : null;
  if (stranger)
    tries.push({ what: 'somebody else’s approval', exchange: await send(stranger, { requestState: state }) });
  // The person allowed this tool to be called: once.
  const first = await send(client, { requestState: state });
  if (outcomeOf(first) === 'reached')
    tries.push({ what: 'an approval that was used', exchange: await send(client, { requestState: state }) });
  return tries;
}

/** Another value for the first argument, that nothing will have; or an argument more. */
function changedArguments(args: DestructiveCall['args']): Record<string, unknown> {
  const found = Object.entries(args).find(([, value]) => typeof value === 'string');
  return found
    ? { ...args, [found[0]]: `${String(found[1])}-portcullis-check` }
    : { ...args, portcullis_check: 'changed' };
}

function flipped(state: string): string {
  const at = Math.floor(state.length / 2);
  return state.slice(0, at) + (state.charAt(at) === 'A' ? 'B' : 'A') + state.slice(at + 1);
}

/** Says yes to everything that was asked, as a client would that nobody watches. */
function responsesTo(requests: unknown): Record<string, unknown> {
  if (!isRecord(requests)) return {};
  return Object.fromEntries(
    Object.entries(requests)
      .slice(0, 20)
      .map(([key, one]) => [key, { action: 'accept', content: contentFor(one) }]),
  );
}

function contentFor(request: unknown): Record<string, unknown> {
  const params = isRecord(request) ? request['params'] : undefined;
  const schema = isRecord(params) ? params['requestedSchema'] : undefined;
  const properties = isRecord(schema) ? schema['properties'] : undefined;
  if (!isRecord(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties)
      .slice(0, 20)
      .map(([name, one]) => [name, valueFor(one)]),
  );
}

function valueFor(schema: unknown): unknown {
  if (!isRecord(schema)) return true;
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  if (schema['type'] === 'string') return 'yes';
  return schema['type'] === 'boolean' ? true : 1;
}
