import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const expiredToken: Probe = {
  id: 'T07',
  title: 'An expired token is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'OAuth 2.1 section 5.2; RFC 9068 section 4',
  guideItems: [5],
  why: 'A stolen token is worth something for ever.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'expired', 'an expired token'),
};
