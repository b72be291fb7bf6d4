import { quoted } from '../evidence.ts';
import { suspicions } from '../poisoning.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { toolList } from '../tools.ts';

export const poisoning: Probe = {
  id: 'D03',
  title: 'Descriptions give a model no orders',
  severity: 'high',
  mode: 'token',
  reference: 'OWASP MCP03 (tool poisoning); MCP 2026-07-28 tools, “Security Considerations”',
  guideItems: [],
  why: 'A model reads descriptions as instructions. Hidden or pushy text in them steers it past the person who watches.',
  remedy: {
    words:
      'Describe what the tool does, in visible characters; ask for no context that it does not need. If you did not write this, look at who did.',
    portcullis: 'Definitions are pinned: a change that adds orders is held back.',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    const names = list.tools.map(({ name }) => name);
    const problems: Problem[] = list.tools.flatMap((tool) =>
      suspicions(tool, names).map((what) => ({ text: `${quoted(tool.name, 60)}: ${what}` })),
    );
    return verdictOf(problems.slice(0, 20), `${names.length} descriptions hold nothing suspicious`, []);
  },
};
