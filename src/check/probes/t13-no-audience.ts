import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const noAudience: Probe = {
  id: 'T13',
  title: 'A token without an audience is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 9068 section 4; MCP 2026-07-28 authorization',
  guideItems: [4],
  why: 'A token for nobody in particular is a token for everybody.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'no-audience', 'a token without an audience'),
};
