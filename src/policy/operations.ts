import type { Decision, Operation } from './decision.ts';
import { toolsRead } from './scopes.ts';

/** The answer to a caller who holds the scopes that it names. */
export type Allowed = Extract<Decision, { allow: true }>;

export type Requirements = (operation: Exclude<Operation, { kind: 'tool' }>) => Allowed | null;

/**
 * What each operation that is not a tool call asks of the caller, worked out at load. The returned function gives
 * null for what is no known operation.
 */
export function compileRequirements(scopes: { resources: string; prompts: string }): Requirements {
  const tools = requirement('builtin.tools', [toolsRead]);
  const tasks = requirement('builtin.tasks', [toolsRead]);
  const session = requirement('builtin.session', []);
  const resources = requirement('resources.scope', [scopes.resources]);
  const prompts = requirement('prompts.scope', [scopes.prompts]);
  const listen = listenRequirements(scopes);
  return (operation) => {
    switch (operation.kind) {
      case 'tools':
        return tools;
      case 'task':
        return tasks;
      case 'session':
        return session;
      case 'resource':
      case 'resources':
        return resources;
      case 'prompt':
      case 'prompts':
        return prompts;
      case 'completion':
        return operation.of === 'prompt' ? prompts : resources;
      case 'listen':
        return listen[listenIndex(operation)] ?? null;
      default:
        return null;
    }
  };
}

/** A subscription needs the scope of each kind that it listens to: one requirement for each combination. */
function listenRequirements(scopes: { resources: string; prompts: string }): Allowed[] {
  return Array.from({ length: 8 }, (_, index) => {
    const wanted = new Set<string>();
    if (index & 1) wanted.add(toolsRead);
    if (index & 2) wanted.add(scopes.resources);
    if (index & 4) wanted.add(scopes.prompts);
    return requirement('builtin.listen', [...wanted]);
  });
}

function listenIndex(operation: { tools: boolean; resources: boolean; prompts: boolean }): number {
  return (operation.tools ? 1 : 0) | (operation.resources ? 2 : 0) | (operation.prompts ? 4 : 0);
}

function requirement(rule: string, scopes: readonly string[]): Allowed {
  return Object.freeze({
    allow: true,
    rule,
    scopes: Object.freeze([...scopes]),
    confirm: null,
    limit: null,
    destructive: false,
  });
}
