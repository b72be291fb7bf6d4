import { lookFor, markOf, needsAudit } from '../audit/marks.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { floodOnce } from './l01-burst.ts';

export const limitDenialLogged: Probe = {
  id: 'P04',
  title: 'A denial by a limit is in the audit log',
  severity: 'medium',
  mode: 'writes',
  reference: 'OWASP MCP08; CWE-778',
  guideItems: [8],
  why: 'A loop that is stopped and not seen starts again tomorrow.',
  remedy: {
    words: 'Log 429s like any other denial, with the layer that said no.',
    portcullis: 'Recorded as denied_rate, with the layer.',
  },
  async run(context) {
    if (context.audit === null) return notTested('the audit log cannot be read', needsAudit);
    if (!context.allowed.burst) return notTested('it would load the server', '--allow-burst');
    const { limited } = await context.once(floodOnce);
    if (limited === null) return notTested('there was no 429, see L01');
    const mark = markOf('over the limit', limited, null);
    if (mark.signs.length === 0) return notTested('the 429 has no request id to look for');
    const found = await lookFor(context, [mark]);
    return found?.missing.length === 0
      ? pass('found by request id', [limited])
      : fail('the denial is not in the log', [limited]);
  },
};
