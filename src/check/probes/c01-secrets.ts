import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredSecrets: Probe = {
  id: 'C01',
  title: 'Secrets are references',
  severity: 'high',
  mode: 'declared',
  reference: 'OWASP MCP01; CWE-798',
  guideItems: [10],
  why: 'A secret in a file is copied with it, for ever.',
  remedy: {
    words: 'Keep secrets in a manager and name them.',
    portcullis: 'Every secret is a reference; a literal is refused.',
  },
  run: (context) => declaredOn(context, 'secrets'),
};
