import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredApprovals: Probe = {
  id: 'C06',
  title: 'Tools that destroy are confirmed',
  severity: 'low',
  mode: 'declared',
  reference: 'CoSAI MCP Security v2.0, L2',
  guideItems: [],
  why: 'Which tools wait for a person cannot be seen without calling them.',
  remedy: {
    words: 'Ask for a confirmation for each tool that destroys.',
    portcullis: 'tools: [{ match: "delete_*", confirm: other }].',
  },
  run: (context) => declaredOn(context, 'approvals'),
};
