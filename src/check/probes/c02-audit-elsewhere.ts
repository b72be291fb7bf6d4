import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredAudit: Probe = {
  id: 'C02',
  title: 'The audit log is also kept elsewhere',
  severity: 'low',
  mode: 'declared',
  reference: 'OWASP MCP08; NIST SP 800-53 AU-9',
  guideItems: [],
  why: 'Who takes the machine takes the log with it.',
  remedy: {
    words: 'Send records or checkpoints to another machine as they are made.',
    portcullis: 'audit.also, audit.checkpoints.to.',
  },
  run: (context) => declaredOn(context, 'audit'),
};
