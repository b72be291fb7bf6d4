import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const notYetValid: Probe = {
  id: 'T17',
  title: 'A token that is not valid yet is refused',
  severity: 'medium',
  mode: 'tokens',
  reference: 'RFC 7519 section 4.1.5',
  guideItems: [5],
  why: 'nbf is part of what the issuer promises; a verifier that skips it probably skips more.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'not-yet-valid', 'a token of tomorrow'),
};
