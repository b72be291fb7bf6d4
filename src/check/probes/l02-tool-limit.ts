import { flood } from '../flood.ts';
import { connect } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { toolOf } from '../tools.ts';

/** More than any caller needs of one tool in one go; fewer than L01 sends of cheap requests. */
const mostCalls = 300;
const fewLists = 40;

export const toolLimit: Probe = {
  id: 'L02',
  title: 'A tool has a limit of its own',
  severity: 'medium',
  mode: 'writes',
  reference: 'MCP 2026-07-28 tools, “Security Considerations”; OWASP MCP cheat sheet',
  guideItems: [7],
  why: 'Reading six hundred records a minute is work; deleting six hundred is a disaster.',
  remedy: {
    words: 'Give each tool that changes something a ceiling below that of the caller.',
    portcullis: 'tools: [{ match: "delete_*", limit: 60/min }].',
  },
  async run(context) {
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const tool = (await toolOf(context, 'writes')) ?? (await toolOf(context, 'reads'));
    if (tool === null) return notTested('no tool may be called', '--tool NAME');
    const { 'other-principal': other, good } = context.tokens.tokens;
    // Somebody who has not used up their own limit in another row.
    const token = other ?? good;
    if (token === undefined) return notTested('there is no good token', needsToken);
    const client = await connect(context, token);
    if (client === null) return notTested('the token is not taken');
    const call = () =>
      client.send('tools/call', { name: tool.name, arguments: tool.args }, { unpaced: true });
    const first = await call();
    if (first.status === 403)
      return notTested(`${tool.name} is not allowed to this caller`, '--tool NAME that the token may call');
    const { limited, sent, silent } = await flood(call, mostCalls);
    if (silent) return notTested(`the server stopped answering after ${sent} calls`);
    if (limited === null) return fail(`${sent} calls of ${tool.name} in a row were served`, [first]);
    // A single request may fit in what trickles back: several do not.
    const { limited: cheap } = await flood(() => client.send('tools/list', {}, { unpaced: true }), fewLists);
    if (cheap !== null)
      return fail(
        {
          text: `429 after ${sent} calls, but for everything: the limit is the caller’s, not the tool’s`,
          severity: 'low',
        },
        [limited, cheap],
      );
    return pass(`429 after ${sent} calls of ${tool.name}, while lists go on`, [limited]);
  },
};
