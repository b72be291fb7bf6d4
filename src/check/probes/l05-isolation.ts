import { flood } from '../flood.ts';
import { connect } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { somebody } from '../somebody.ts';
import { floodOnce, mostRequests } from './l01-burst.ts';

export const isolation: Probe = {
  id: 'L05',
  title: 'One client that floods does not starve another',
  severity: 'medium',
  mode: 'writes',
  reference: 'CWE-770; CoSAI MCP Security v2.0',
  guideItems: [7],
  why: 'A limit for all callers together is a switch that any of them can turn off for everybody.',
  remedy: {
    words: 'Limit each caller before the whole, and let nothing shared run full first.',
    portcullis: 'limits.client is reached before limits.organization.',
  },
  async run(context) {
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const other = context.tokens.tokens['other-principal'];
    if (other === undefined)
      return notTested(
        'a token of somebody else is needed',
        '--lab, or --tokens FILE with "other-principal"',
      );
    if ((await context.once(floodOnce)).limited === null)
      return notTested('nobody is slowed down here, see L01');
    const client = await context.once(somebody);
    const quiet = await connect(context, other);
    if (client === null || quiet === null) return notTested('one of the two is not let in');
    const before = await quiet.send('tools/list');
    const { limited, sent } = await flood(
      () => client.send('tools/list', {}, { unpaced: true }),
      mostRequests,
    );
    if (limited === null) return notTested(`nobody was slowed down in ${sent} requests, see L01`);
    const after = await quiet.send('tools/list');
    if (before.status !== 200) return notTested(`the quiet one was answered with ${before.status} before`);
    if (after.status === 200)
      return pass(`one was told 429 after ${sent} requests, the other was served`, [limited, after]);
    return fail(`while one floods, the other is answered with ${after.status}`, [limited, after]);
  },
};
