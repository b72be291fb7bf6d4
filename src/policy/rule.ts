import type { ToolRuleConfig } from '../config/index.ts';
import {
  type Condition,
  type ConditionError,
  compileCondition,
  isConditionFault,
} from './conditions/index.ts';
import type { ToolFacts, ToolLimit } from './decision.ts';
import { compileGlob, type Glob } from './glob.ts';
import { toolsRead, toolsWrite } from './scopes.ts';

/** One attribute of a tool, and the rule that gave it. */
export interface Attribute<T> {
  readonly value: T;
  /** `tools[2]`, or `default[0]` for a built-in rule. */
  readonly rule: string;
}

/** What the rules say of one tool. Null: no rule that matches has the attribute. */
export interface ToolRules {
  readonly scope: Attribute<string> | null;
  readonly limit: Attribute<ToolLimit> | null;
  readonly confirm: Attribute<'self' | 'other'> | null;
  readonly show: Attribute<'open' | 'locked' | 'hidden'> | null;
}

export interface CompiledRule {
  readonly glob: Glob;
  readonly config: ToolRuleConfig;
  readonly condition: Condition | null;
}

/** Rules that apply to a server's tools, in order. `rules` null: the built-in ones. */
export function compileRules(server: string, rules: readonly ToolRuleConfig[] | null): CompiledRule[] {
  return (rules ?? builtInRules)
    .filter((rule) => rule.server === null || rule.server === server)
    .map((config) => ({ glob: compileGlob(config.match), config, condition: conditionOf(config) }));
}

/** The configuration has been checked: what cannot be compiled here is a fault of ours. */
function conditionOf({ when, source }: ToolRuleConfig): Condition | null {
  if (when === null) return null;
  const condition = compileCondition(when);
  if (isConditionFault(condition)) throw new Error(`${source}: when ${condition.message}`);
  return condition;
}

/** Those that match the tool by name and hint, in order; their conditions are another question. */
export function rulesMatching(rules: readonly CompiledRule[], tool: ToolFacts): readonly CompiledRule[] {
  return rules.filter((rule) => hintMatches(rule.config.hint, tool) && rule.glob.matches(tool.name));
}

/** Whether a rule applies, or why that cannot be said. */
export type Verdict = boolean | ConditionError;

export interface Resolution {
  readonly rules: ToolRules;
  /** The rule whose condition could not be decided. Nothing may be concluded from `rules` then. */
  readonly undecided: { readonly rule: string; readonly error: ConditionError } | null;
}

/**
 * Reads rules top to bottom: each attribute comes from the first rule that applies and has it. The condition of a rule that could
 * still give an attribute is asked; of one whose attributes have all been given it is not. The first that cannot be decided ends it: going on
 * would be to take a later rule, perhaps a looser one, on the word of a caller who made the condition fail.
 */
export function resolve(
  rules: readonly CompiledRule[],
  applies: (rule: CompiledRule) => Verdict,
): Resolution {
  const found: { -readonly [Name in keyof ToolRules]: ToolRules[Name] } = { ...nothing };
  for (const rule of rules) {
    const { config } = rule;
    if (!givesMore(config, found)) continue;
    const verdict = applies(rule);
    const { source } = config;
    if (typeof verdict === 'object') return { rules: found, undecided: { rule: source, error: verdict } };
    if (!verdict) continue;
    if (config.scope !== null) found.scope ??= { value: config.scope, rule: source };
    if (config.limit !== null) found.limit ??= { value: config.limit, rule: source };
    if (config.confirm !== null) found.confirm ??= { value: config.confirm, rule: source };
    if (config.show !== null) found.show ??= { value: config.show, rule: source };
  }
  return { rules: found, undecided: null };
}

const nothing: ToolRules = { scope: null, limit: null, confirm: null, show: null };

function givesMore(config: ToolRuleConfig, found: ToolRules): boolean {
  return (
    (config.scope !== null && found.scope === null) ||
    (config.limit !== null && found.limit === null) ||
    (config.confirm !== null && found.confirm === null) ||
    (config.show !== null && found.show === null)
  );
}

function hintMatches(hint: ToolRuleConfig['hint'], tool: ToolFacts): boolean {
  if (hint === 'readOnly') return isReadOnly(tool);
  if (hint === 'destructive') return isDestructive(tool);
  return true;
}

/** Claims to read only, and does not contradict itself. Hints are claims of the server: it may lie. */
export function isReadOnly(tool: ToolFacts): boolean {
  return tool.readOnlyHint === true && tool.destructiveHint !== true;
}

/**
 * Could destroy something, as far as it says. Silence counts as yes, the default of `destructiveHint` in the MCP
 * schema (ToolAnnotations), and so does a tool that claims both: of two claims the worse is believed.
 */
export function isDestructive(tool: ToolFacts): boolean {
  return !isReadOnly(tool) && tool.destructiveHint !== false;
}

const builtInRules: readonly ToolRuleConfig[] = [
  { ...blank('default[0]'), hint: 'readOnly', scope: toolsRead },
  { ...blank('default[1]'), scope: toolsWrite },
];

function blank(source: string): ToolRuleConfig {
  return {
    match: '*',
    server: null,
    hint: null,
    when: null,
    scope: null,
    limit: null,
    confirm: null,
    show: null,
    capture: null,
    source,
  };
}
