import { notTested, type Probe } from '../probe.ts';
import { goodTokenWorks } from '../tokens/good.ts';
import { tokenRemedy } from '../tokens/refused-token.ts';
import { allRefused } from '../tokens/trial.ts';

export const tokenMill: Probe = {
  id: 'T18',
  title: 'Of a trusted issuer, only what is right in every way is taken',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 8725; RFC 9068 section 4; RFC 9449 section 7; RFC 8705 section 3',
  guideItems: [4, 5],
  why: 'Each check that is missing is one kind of stolen or borrowed token that works.',
  remedy: tokenRemedy,
  async run(context) {
    if (context.mill === null)
      return notTested('it needs an issuer that the server trusts for the test', '--lab');
    const works = await context.once(goodTokenWorks);
    if (works !== true) return works;
    return allRefused(context, context.mill.trials);
  },
};
