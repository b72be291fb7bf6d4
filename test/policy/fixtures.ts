import type { ToolRuleConfig } from '../../src/config/index.ts';
import { compilePolicy, type Operation, type Policy } from '../../src/policy/index.ts';

export const read = 'mcp:tools:read';
export const write = 'mcp:tools:write';
export const admin = 'mcp:tools:admin';
export const resources = 'mcp:resources:read';
export const prompts = 'mcp:prompts:read';

/** Rules as `config/` hands them over: complete, each with its place in the file. */
export function rulesOf(...rules: Partial<ToolRuleConfig>[]): ToolRuleConfig[] {
  return rules.map((rule, index) => ({
    match: '*',
    server: null,
    hint: null,
    scope: null,
    limit: null,
    confirm: null,
    show: null,
    source: `tools[${index}]`,
    ...rule,
  }));
}

export function policyOf(rules: readonly ToolRuleConfig[] | null, server = 'notes'): Policy {
  return compilePolicy({ server, rules, resources: { scope: resources }, prompts: { scope: prompts } });
}

export function call(name: string): Operation {
  return { kind: 'tool', name, arguments: {} };
}

export function perMinute(count: number): { count: number; periodMs: number; burst: number } {
  return { count, periodMs: 60_000, burst: count };
}
