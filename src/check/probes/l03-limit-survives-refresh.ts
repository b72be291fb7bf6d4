import { flood } from '../flood.ts';
import { connect, initialize, mcpAsk } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';
import { refresh } from '../tokens/authorization-requests.ts';
import { floodOnce, mostRequests } from './l01-burst.ts';

export const limitSurvivesRefresh: Probe = {
  id: 'L03',
  title: 'A new token gives no new allowance',
  severity: 'medium',
  mode: 'writes',
  reference: 'CWE-799; OWASP API4:2023',
  guideItems: [7],
  why: 'A limit that counts tokens is reset by refreshing: whoever loops also refreshes.',
  remedy: {
    words: 'Count by issuer and subject, and by client: not by token, session or address.',
    express: 'keyGenerator: issuer and subject of req.auth, not the token.',
    portcullis: 'Counted by organization, person and client.',
  },
  async run(context) {
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const { refreshToken } = context.tokens;
    if (refreshToken === null)
      return notTested(
        'there is no refresh token',
        '--login, or --tokens FILE with "refresh-token", "client" and "issuer"',
      );
    if ((await context.once(floodOnce)).limited === null)
      return notTested('nobody is slowed down here, see L01');
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    const fresh = await refresh(context, refreshToken);
    if (fresh === null) return notTested('the issuer gives no new token for the refresh token');
    const renewed = await connect(context, fresh.token);
    if (renewed === null) {
      const first = await context.door.ask(mcpAsk({ ...initialize, token: fresh.token }));
      return first.status === 429
        ? pass('the new token is told 429 as well', [first])
        : notTested('the new token is not taken');
    }
    const { limited, sent } = await flood(
      () => client.send('tools/list', {}, { unpaced: true }),
      mostRequests,
    );
    if (limited === null) return notTested(`there is no limit to survive: ${sent} requests were served`);
    const after = await renewed.send('tools/list', {}, { unpaced: true });
    if (after.status === 429) return pass('the new token is told 429 as well', [after]);
    // A single request may fit in what trickles back: several do not.
    const again = await flood(() => renewed.send('tools/list', {}, { unpaced: true }), 40);
    if (again.limited) return pass('the new token is told 429 as well', [again.limited]);
    return fail('the old token is told 429, and a new one of the same person is served', [limited, after]);
  },
};
