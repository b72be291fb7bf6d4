import { quoted } from '../evidence.ts';
import { isRecord, jsonOf, stringsOf } from '../exchange.ts';
import { suspicions } from '../poisoning.ts';
import type { Problem, Severity } from '../probe.ts';
import type { Tool } from '../tools.ts';
import { type LockedTool, lockedTool, type ToolLock } from './lock.ts';

/** What changed since, graded: orders to the model and new powers are high, wording is low. */
export function driftOf(lock: ToolLock, tools: readonly Tool[]): Problem[] {
  const now = new Map(tools.map((tool) => [tool.name, tool]));
  const names = tools.map(({ name }) => name);
  const gone = Object.keys(lock.tools).filter((name) => !now.has(name));
  return [
    ...gone.map((name) => ({ text: `${quoted(name, 60)} is gone`, severity: 'low' as const })),
    ...tools.flatMap((tool) => {
      const before = Object.hasOwn(lock.tools, tool.name) ? lock.tools[tool.name] : undefined;
      return before === undefined ? [added(tool, names)] : changed(before, tool, names);
    }),
  ];
}

function added(tool: Tool, names: readonly string[]): Problem {
  const severity: Severity = suspicions(tool, names).length > 0 ? 'high' : 'medium';
  return { text: `${quoted(tool.name, 60)} is new`, severity };
}

function changed(before: LockedTool, tool: Tool, names: readonly string[]): Problem[] {
  const after = lockedTool(tool);
  if (after.digest === before.digest) return [];
  const problems: Problem[] = [];
  const name = quoted(tool.name, 60);
  const wasSuspicious = suspicions(
    { ...tool, description: before.description, raw: { description: before.description } },
    names,
  );
  const isSuspicious = suspicions(tool, names);
  if (isSuspicious.length > wasSuspicious.length)
    problems.push({ text: `${name} now gives orders: ${isSuspicious[0]}`, severity: 'high' });
  else if (after.description !== before.description)
    problems.push({ text: `${name} is described differently`, severity: 'low' });
  if (after.inputSchema !== before.inputSchema) {
    const more = parameters(after.inputSchema).filter((one) => !parameters(before.inputSchema).includes(one));
    problems.push(
      more.length > 0
        ? { text: `${name} asks for more: ${quoted(more.join(', '))}`, severity: 'high' }
        : { text: `${name} takes other arguments`, severity: 'medium' },
    );
  }
  if (after.annotations !== before.annotations)
    problems.push({ text: `${name} has other hints`, severity: 'high' });
  if (problems.length === 0) problems.push({ text: `${name} gives other results`, severity: 'low' });
  return problems;
}

function parameters(schema: string): readonly string[] {
  const value = jsonOf(schema);
  const properties = isRecord(value) ? value['properties'] : undefined;
  return isRecord(properties) ? stringsOf(Object.keys(properties)) : [];
}
