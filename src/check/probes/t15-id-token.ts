import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const idToken: Probe = {
  id: 'T15',
  title: 'An ID token is no access token',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 9068 section 4; RFC 8725 section 3.11',
  guideItems: [4, 5],
  why: 'ID tokens go to every application that somebody signs in to.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'id-token', 'an ID token'),
};
