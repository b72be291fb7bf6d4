import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredLimits: Probe = {
  id: 'C05',
  title: 'An organization has a limit',
  severity: 'medium',
  mode: 'declared',
  reference: 'OWASP API4:2023',
  guideItems: [7],
  why: 'One customer must not use up what all share.',
  remedy: {
    words: 'Limit the sum of all callers of an organization.',
    portcullis: 'limits.organization: 60000/min.',
  },
  run: (context) => declaredOn(context, 'limits'),
};
