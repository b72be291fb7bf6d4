import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredAudience: Probe = {
  id: 'C07',
  title: 'Tokens are for this server alone',
  severity: 'high',
  mode: 'declared',
  reference: 'RFC 8707',
  guideItems: [4],
  why: 'An audience that is shared makes a token for one server good for all.',
  remedy: {
    words: 'One audience for each server.',
    portcullis: 'auth.issuers[].audience: the URL of the server.',
  },
  run: (context) => declaredOn(context, 'audience'),
};
