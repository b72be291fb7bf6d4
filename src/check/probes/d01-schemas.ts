import { quoted } from '../evidence.ts';
import { isRecord } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { type Tool, toolList } from '../tools.ts';

export const schemas: Probe = {
  id: 'D01',
  title: 'Each tool says what it takes',
  severity: 'low',
  mode: 'token',
  reference: 'MCP 2026-07-28 tools, “Data Types”; OWASP MCP cheat sheet',
  guideItems: [],
  why: 'What is not described cannot be checked, by the client, by a gateway or by a person who approves.',
  remedy: {
    words: 'Give each tool a description and an inputSchema of type object with additionalProperties: false.',
    sdk: 'z.strictObject({…}) as inputSchema.',
    fastmcp: 'Type every parameter; strict_input_validation=True.',
    portcullis: 'Says what is missing in its report; it cannot know what a tool should take.',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    const problems = list.tools.flatMap(problemsOf).slice(0, 20);
    return verdictOf(problems, `${list.tools.length} tools are described`, []);
  },
};

function problemsOf({ name, description, inputSchema }: Tool): Problem[] {
  const tool = quoted(name, 60);
  if (!isRecord(inputSchema) || inputSchema['type'] !== 'object')
    return [{ text: `${tool} has no inputSchema of type object` }];
  const open = isRecord(inputSchema['properties']) && inputSchema['additionalProperties'] === true;
  return [
    ...(description.trim() === '' ? [{ text: `${tool} has no description` }] : []),
    ...(open ? [{ text: `${tool} takes any argument (additionalProperties: true)` }] : []),
    ...(inputSchema['additionalProperties'] === undefined
      ? [{ text: `${tool} does not refuse unknown arguments`, severity: 'info' as const }]
      : []),
  ];
}
