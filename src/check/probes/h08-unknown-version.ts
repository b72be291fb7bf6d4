import { isRecord, isSuccess, stringsOf } from '../exchange.ts';
import { rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';

const unknown = '1999-01-01';

export const unknownVersion: Probe = {
  id: 'H08',
  title: 'An unknown protocol version is refused, with those that are known',
  severity: 'low',
  mode: 'token',
  reference: 'MCP 2026-07-28 versioning (−32022)',
  guideItems: [],
  why: 'A server that takes any version applies the rules of none, and a client cannot find a common one.',
  remedy: {
    words: 'Answer 400 with −32022 and data.supported.',
    sdk: 'The 2.x handler does; 1.x answers 400.',
    portcullis: 'Answered so.',
  },
  async run(context) {
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    const _meta = { 'io.modelcontextprotocol/protocolVersion': unknown };
    const exchange = await client.send(
      'tools/list',
      { _meta },
      { headers: { 'MCP-Protocol-Version': unknown } },
    );
    const answer = rpcOf(exchange);
    if (isSuccess(exchange) && answer?.result !== undefined)
      return fail({ text: 'a version that does not exist is served', severity: 'medium' }, [exchange]);
    if (client.era === 'legacy' && exchange.status === 400) return pass('400', [exchange]);
    const data = answer?.error?.data;
    const supported = isRecord(data) ? stringsOf(data['supported']) : [];
    if (Number(answer?.error?.code) === -32022 && supported.length > 0)
      return pass(`−32022, supported: ${supported.join(', ')}`, [exchange]);
    return fail(
      `answered with ${exchange.status} and ${String(answer?.error?.code ?? 'no code')}, not with −32022 and the list`,
      [exchange],
    );
  },
};
