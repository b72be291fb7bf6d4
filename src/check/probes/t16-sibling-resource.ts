import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const siblingResource: Probe = {
  id: 'T16',
  title: 'A token for a neighbour on the same issuer is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 8707; CVE-2025-69196',
  guideItems: [4],
  why: 'One issuer often serves many servers: the audience is all that keeps them apart.',
  remedy: tokenRemedy,
  run: (context) =>
    mustRefuse(context, 'sibling-resource', 'a token for another path or port of the same issuer'),
};
