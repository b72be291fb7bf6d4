import type { ToolRuleConfig } from '../../src/config/index.ts';
import {
  type Asking,
  compilePolicy,
  type Decision,
  type Granted,
  type Operation,
  type Policy,
  type ToolFacts,
  type ToolLimit,
  type ToolRules,
  type Visibility,
} from '../../src/policy/index.ts';
import type { JsonObject } from '../../src/protocol/index.ts';

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
    when: null,
    scope: null,
    limit: null,
    confirm: null,
    show: null,
    capture: null,
    source: `tools[${index}]`,
    ...rule,
  }));
}

/** A policy, asked by a caller of whom the scopes alone matter. */
export interface TestPolicy extends Pick<Policy, 'scopes' | 'baseline'> {
  decide(operation: Operation, facts: ToolFacts | null | 'unknown', granted: Granted): Decision;
  visibility(facts: ToolFacts, granted: Granted): Visibility;
  explain(facts: ToolFacts): ToolRules;
}

export function policyOf(rules: readonly ToolRuleConfig[] | null, server = 'notes'): TestPolicy {
  return byScopes(
    compilePolicy({ server, rules, resources: { scope: resources }, prompts: { scope: prompts } }),
  );
}

export function byScopes(policy: Policy): TestPolicy {
  return {
    ...policy,
    decide: (operation, facts, granted) => policy.decide(operation, facts, asking(granted)),
    visibility: (facts, granted) => policy.listing(facts, asking(granted)).visibility,
    explain: (facts) => policy.explain(facts, asking([])),
  };
}

export function asking(granted: Granted, more: Partial<Asking['caller']> & { now?: number } = {}): Asking {
  const { now = Date.UTC(2026, 10, 25, 8, 30), ...caller } = more;
  return {
    caller: {
      subject: 'anna',
      issuer: 'https://idp.example.com',
      client: 'claude',
      organization: 'acme',
      scopes: [...granted],
      ...caller,
    },
    now,
  };
}

export function call(name: string, args: JsonObject = {}): Operation {
  return { kind: 'tool', name, arguments: args };
}

export function perMinute(count: number): ToolLimit {
  return { each: [{ count, periodMs: 60_000, burst: count }], total: [] };
}
