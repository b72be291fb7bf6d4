import type { CheckContext } from '../context.ts';
import { guarded } from '../discovery/openings.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { initialize, mcpAsk, rpcOf } from '../mcp.ts';
import { notTested, type Probe, type Problem, pass, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';

const samples = 10;
/** 16 random bytes: less can be guessed. */
const leastBits = 120;

export const sessions: Probe = {
  id: 'H07',
  title: 'A session is worth nothing without its principal',
  severity: 'critical',
  mode: 'tokens',
  reference: 'MCP Security Best Practices, “Session Hijacking”; CoSAI MCP Security v2.0',
  guideItems: [5],
  why: 'Session ids are in logs and proxies. Where they stand for somebody, whoever reads one is that person.',
  remedy: {
    words:
      'Verify the token with each request, bind the session to who opened it, and make ids from 128 random bits.',
    express: 'Key the transports’ map by session id and subject; sessionIdGenerator: () => randomUUID().',
    sdk: 'Compare req.auth with what the session was opened with.',
    portcullis: 'Session ids are sealed to their principal; each request needs its token.',
  },
  async run(context) {
    const { good, 'other-principal': other } = context.tokens.tokens;
    const open = (await context.once(guarded)) === null;
    if (good === undefined && !open)
      return notTested('the server opens no session for strangers', needsToken);
    const as = good ? { token: good } : {};
    const opened: Exchange[] = [];
    for (let count = 0; count < samples; count++)
      opened.push(await context.door.ask(mcpAsk({ ...initialize, ...as })));
    const ids = opened.map((one) => headerOf(one, 'mcp-session-id')).filter((id) => id !== null);
    const [session] = ids;
    if (session === undefined) return pass('the server has no sessions', opened.slice(0, 1));
    const problems = entropyProblems(ids);
    if (open) return verdictOf(problems, 'session ids cannot be guessed', opened.slice(0, 1));
    if (other === undefined)
      return notTested(
        'a token of somebody else is needed',
        '--lab, or --tokens FILE with "other-principal"',
      );
    const stolen = await context.door.ask(
      mcpAsk({ method: 'tools/list', era: 'legacy', session, token: other }),
    );
    const without = await context.door.ask(mcpAsk({ method: 'tools/list', era: 'legacy', session }));
    if (isSuccess(stolen) && rpcOf(stolen)?.result)
      problems.push({ text: 'somebody else’s token may use the session' });
    if (isSuccess(without) && rpcOf(without)?.result)
      problems.push({ text: 'the session works without a token' });
    await close(context, ids);
    return verdictOf(problems, 'unguessable, refused to others and without a token', [stolen, without]);
  },
};

async function close(context: CheckContext, ids: readonly string[]): Promise<void> {
  const { good } = context.tokens.tokens;
  for (const id of ids)
    await context.door.ask({
      method: 'DELETE',
      headers: [['Mcp-Session-Id', id]],
      ...(good && { token: good }),
    });
}

/** A lower bound cannot be proven from samples; what is too short or shares too much can be. */
function entropyProblems(ids: readonly string[]): Problem[] {
  if (new Set(ids).size < ids.length) return [{ text: 'the same session id came twice' }];
  const shortest = Math.min(...ids.map((id) => id.length));
  const changing = Array.from(
    { length: shortest },
    (_, at) => new Set(ids.map((id) => id[at])).size > 1,
  ).filter(Boolean).length;
  const alphabet = new Set(ids.join('').replaceAll('-', '')).size;
  const bits = changing * Math.log2(Math.max(2, alphabet));
  if (bits >= leastBits * 0.8) return [];
  return [
    {
      text: `session ids can be guessed: at most ${Math.floor(bits)} bits change between ${ids.length} of them`,
      severity: 'high',
    },
  ];
}
