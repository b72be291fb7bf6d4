import type { ToolRuleConfig } from '../config/index.ts';
import type { Decision, Operation, ToolFacts } from './decision.ts';
import { type Allowed, compileRequirements } from './operations.ts';
import { type CompiledRule, compileRules, type ToolRules } from './rule.ts';
import {
  challengeScopes,
  type Granted,
  promptsRead,
  resourcesRead,
  satisfies,
  standardScopes,
  toolsRead,
} from './scopes.ts';
import { planTool, type ToolPlan, visibilityOf } from './tool.ts';

/** May a caller do this? Pure and synchronous; made once for each server when the configuration is loaded. */
export interface Policy {
  /**
   * @param facts what the upstream says of the tool; null: its list cannot be had, the worst is assumed;
   *   `unknown`: it has a list and the tool is not on it. Ignored for operations that are no tool call.
   *   An object is read once and remembered by identity: make a new one when the upstream's list changes.
   * @param granted scopes of the verified token
   */
  decide(operation: Operation, facts: ToolFacts | null | 'unknown', granted: Granted): Decision;
  /** How `tools/list` shows a tool to a caller: usable, named but locked, or not at all. Agrees with `decide`. */
  visibility(facts: ToolFacts, granted: Granted): Visibility;
  /** What the rules say of a tool, each attribute with the rule that gave it. */
  explain(facts: ToolFacts): ToolRules;
  /** Every scope that this policy can ask for, standard ones first. */
  scopes(): readonly string[];
  /** What a client should ask for at first: reading only. More comes by step-up. */
  baseline(): readonly string[];
}

export type Visibility = 'open' | 'locked' | 'hidden';

export interface PolicyOptions {
  /** Name of the server that it is for: rules of other servers are dropped. */
  readonly server: string;
  /** As written; null: the built-in rules (read-only tools need `mcp:tools:read`, the rest `mcp:tools:write`). */
  readonly rules: readonly ToolRuleConfig[] | null;
  readonly resources: { readonly scope: string };
  readonly prompts: { readonly scope: string };
}

/**
 * While the upstream's list cannot be had, tool names are text of the caller. MCP has names of up to 128 characters;
 * a longer one than this costs nothing.
 */
const longestUnlistedName = 256;

export function compilePolicy(options: PolicyOptions): Policy {
  const rules = compileRules(options.server, options.rules);
  const requirementOf = compileRequirements({
    resources: options.resources.scope,
    prompts: options.prompts.scope,
  });
  const scopes = requiredScopes(options, rules);
  const known = [...new Set([...standardScopes, ...scopes])];
  const planOf = rememberPlans(rules);

  return {
    decide(operation, facts, granted) {
      if (operation.kind === 'tool') {
        const tool = toolToJudge(operation.name, facts);
        if (tool === null) return unknownTool;
        return decideTool(facts === null ? planTool(rules, tool) : planOf(tool), granted, known);
      }
      const requirement = requirementOf(operation);
      if (requirement === null) return unknownMethod;
      if (!satisfies(granted, requirement.scopes)) return scopeMissing(requirement, granted, known);
      return requirement;
    },
    visibility: (facts, granted) => visibilityOf(planOf(facts), granted),
    explain: (facts) => planOf(facts).rules,
    scopes: () => scopes,
    baseline: () => baselineOf(scopes),
  };
}

function toolToJudge(name: string, facts: ToolFacts | null | 'unknown'): ToolFacts | null {
  if (facts === 'unknown') return null;
  if (facts === null) return name.length > longestUnlistedName ? null : { name };
  return facts.name === name ? facts : null; // facts of another tool say nothing of this one
}

function decideTool(plan: ToolPlan, granted: Granted, known: readonly string[]): Decision {
  if (plan.allow === null) return policyDenied;
  if (visibilityOf(plan, granted) === 'hidden') {
    // the caller's answer is that of an unknown tool; the record names the rule
    return denied(plan.rules.show?.rule ?? unknownTool.rule, 'unknown_tool');
  }
  if (!satisfies(granted, plan.allow.scopes)) return scopeMissing(plan.allow, granted, known);
  return plan.allow;
}

/** The upstream's list has few tools and lives long; a caller's text is never remembered. */
function rememberPlans(rules: readonly CompiledRule[]): (tool: ToolFacts) => ToolPlan {
  const plans = new WeakMap<ToolFacts, ToolPlan>();
  return (tool) => {
    let plan = plans.get(tool);
    if (plan === undefined) {
      plan = planTool(rules, tool);
      plans.set(tool, plan);
    }
    return plan;
  };
}

function scopeMissing(requirement: Allowed, granted: Granted, known: readonly string[]): Decision {
  return {
    allow: false,
    rule: requirement.rule,
    code: 'scope_missing',
    scopes: challengeScopes(granted, requirement.scopes, known),
    required: requirement.scopes,
  };
}

function denied(rule: string, code: 'policy_denied' | 'unknown_tool' | 'unknown_method'): Decision {
  const none = Object.freeze([]);
  return Object.freeze({ allow: false, rule, code, scopes: none, required: none });
}

const unknownTool = denied('builtin.unknown', 'unknown_tool');
const unknownMethod = denied('builtin.unknown', 'unknown_method');
/** No rule with a scope names the tool: what nobody decided on is not for calling. */
const policyDenied = denied('tools', 'policy_denied');

function requiredScopes(options: PolicyOptions, rules: readonly CompiledRule[]): readonly string[] {
  const wanted = new Set([toolsRead]);
  for (const { config } of rules) if (config.scope !== null) wanted.add(config.scope);
  wanted.add(options.resources.scope).add(options.prompts.scope);
  const standard = standardScopes.filter((scope) => wanted.has(scope));
  return Object.freeze([...new Set([...standard, ...wanted])]);
}

/** Only what reads: a scope of the operator's own may guard anything, so it is asked for when it is needed. */
function baselineOf(scopes: readonly string[]): readonly string[] {
  return scopes.filter((scope) => [toolsRead, resourcesRead, promptsRead].includes(scope));
}
