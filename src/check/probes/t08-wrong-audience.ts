import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const wrongAudience: Probe = {
  id: 'T08',
  title: 'A token for another server is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 8707; MCP 2026-07-28 authorization, “Access Token Privilege Restriction”',
  guideItems: [4, 12],
  why: 'Whoever runs a less careful server, or steals a token there, calls yours with it.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'wrong-audience', 'a token for another audience'),
};
