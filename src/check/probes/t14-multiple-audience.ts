import type { Probe } from '../probe.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';

export const multipleAudience: Probe = {
  id: 'T14',
  title: 'A token for several servers is not taken by accident',
  severity: 'medium',
  mode: 'tokens',
  reference: 'RFC 9068 sections 3 and 4; GHSA-p2fr-6hmx-4528',
  guideItems: [4],
  why: 'Each server that it is meant for can use it at all the others.',
  remedy: tokenRemedy,
  run: (context) => mustRefuse(context, 'multiple-audience', 'a token for this server and another'),
};
