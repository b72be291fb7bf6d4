import { quoted } from '../evidence.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { isDestructiveName, isWritingName, type Tool, toolList } from '../tools.ts';

export const hints: Probe = {
  id: 'D02',
  title: 'Hints are there, and fit the name',
  severity: 'medium',
  mode: 'token',
  reference: 'MCP 2026-07-28 tools, “Tool Annotations”; requirements of client directories',
  guideItems: [6],
  why: 'Clients ask a person, or do not, by these hints; a delete that claims to read is called without a question.',
  remedy: {
    words: 'Set readOnlyHint and destructiveHint on each tool, truthfully.',
    sdk: 'annotations: { readOnlyHint: false, destructiveHint: true }.',
    fastmcp: 'annotations=ToolAnnotations(readOnlyHint=…).',
    portcullis: 'Rules by name overrule hints: tools: [{ match: "delete_*", scope: mcp:tools:admin }].',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    const problems = list.tools.flatMap(problemsOf).slice(0, 20);
    return verdictOf(problems, `${list.tools.length} tools have hints that fit`, []);
  },
};

function problemsOf({ name, annotations }: Tool): Problem[] {
  const tool = quoted(name, 60);
  const { readOnlyHint, destructiveHint } = annotations;
  if (readOnlyHint === true && isWritingName(name))
    return [{ text: `${tool} says that it only reads`, severity: 'high' }];
  if (readOnlyHint !== true && destructiveHint === false && isDestructiveName(name))
    return [{ text: `${tool} says that it destroys nothing`, severity: 'high' }];
  if (readOnlyHint === undefined && destructiveHint === undefined)
    return [{ text: `${tool} has neither readOnlyHint nor destructiveHint` }];
  return [];
}
