import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const otherIssuer: Probe = {
  id: 'T12',
  title: 'A token of another issuer is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 9068 section 4; RFC 9700 section 4.4',
  guideItems: [5],
  why: 'Anybody can run an issuer.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'other-issuer', 'a token of an issuer that is not trusted'),
};
