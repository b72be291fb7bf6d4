import { guarded } from '../discovery/openings.ts';
import { headerOf } from '../exchange.ts';
import { flood } from '../flood.ts';
import { mcpAsk } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { forged } from '../tokens/forge.ts';

const mostRequests = 1000;

export const badTokenBurst: Probe = {
  id: 'L04',
  title: 'Guessing tokens is slowed down',
  severity: 'medium',
  mode: 'writes',
  reference: 'CWE-307; OWASP API4:2023',
  guideItems: [7],
  why: 'Checking a bad token costs the server work, and asking an issuer about it costs more.',
  remedy: {
    words: 'Limit failed authentications by address, and answer 429.',
    express: 'express-rate-limit with skipSuccessfulRequests: true before the token check.',
    gateway: 'A limit by address in front of authentication.',
    portcullis: 'limits.addressFailures: 300/min.',
  },
  async run(context) {
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const request = await context.once(guarded);
    if (request === null) return notTested('nothing here asks for a token, see A01');
    let count = 0;
    const guess = () =>
      context.door.ask(mcpAsk({ ...request, token: forged(`guess-${++count}`), unpaced: true }));
    const { limited, sent, silent } = await flood(guess, mostRequests);
    if (silent) return notTested(`the server stopped answering after ${sent} bad tokens`);
    if (limited === null) return fail(`${sent} bad tokens in a row were each looked at`);
    const retry = headerOf(limited, 'retry-after');
    return retry === null
      ? fail({ text: `429 after ${sent} bad tokens, without Retry-After`, severity: 'low' }, [limited])
      : pass(`429 after ${sent} bad tokens`, [limited]);
  },
};
