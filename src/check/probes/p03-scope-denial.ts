import { lookFor, markOf, needsAudit } from '../audit/marks.ts';
import { connect } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { toolOf } from '../tools.ts';

export const scopeDenialLogged: Probe = {
  id: 'P03',
  title: 'A denial for want of scope is in the audit log',
  severity: 'high',
  mode: 'tokens',
  reference: 'OWASP MCP08',
  guideItems: [8],
  why: 'An agent that was led astray shows itself by what it is denied.',
  remedy: {
    words: 'Log the denial with who, which tool, which scopes there were and which were needed.',
    portcullis: 'Recorded with scopes and scopes_required.',
  },
  async run(context) {
    if (context.audit === null) return notTested('the audit log cannot be read', needsAudit);
    const token = context.tokens.tokens['read-only'];
    const tool = await toolOf(context, 'writes');
    if (token === undefined || tool === null)
      return notTested(
        'a token that may only read and a tool that writes are needed',
        '--lab or --tokens FILE with "read-only", and --tool NAME',
      );
    const client = await connect(context, token);
    if (client === null) return notTested('the token that may only read is not taken');
    const exchange = await client.send('tools/call', { name: tool.name, arguments: tool.args });
    if (exchange.status !== 403) return notTested(`the call was answered with ${exchange.status}, see S01`);
    const mark = markOf('with too little scope', exchange, null);
    if (mark.signs.length === 0) return notTested('the 403 has no request id to look for');
    const found = await lookFor(context, [mark]);
    return found?.missing.length === 0
      ? pass('found by request id', [exchange])
      : fail('the denial is not in the log', [exchange]);
  },
};
