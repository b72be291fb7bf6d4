import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredRetention: Probe = {
  id: 'C03',
  title: 'The audit log is kept long enough',
  severity: 'low',
  mode: 'declared',
  reference: 'PCI DSS 10.5; NIST SP 800-92',
  guideItems: [],
  why: 'Break-ins are found after months.',
  remedy: { words: 'Keep a year at least.', portcullis: 'audit.keep: 400d.' },
  run: (context) => declaredOn(context, 'retention'),
};
