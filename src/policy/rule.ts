import type { ToolRuleConfig } from '../config/index.ts';
import type { RateLimit, ToolFacts } from './decision.ts';
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
  readonly limit: Attribute<RateLimit> | null;
  readonly confirm: Attribute<'self' | 'other'> | null;
  readonly show: Attribute<'open' | 'locked' | 'hidden'> | null;
}

export interface CompiledRule {
  readonly glob: Glob;
  readonly config: ToolRuleConfig;
}

/** Rules that apply to a server's tools, in order. `rules` null: the built-in ones. */
export function compileRules(server: string, rules: readonly ToolRuleConfig[] | null): CompiledRule[] {
  return (rules ?? builtInRules)
    .filter((rule) => rule.server === null || rule.server === server)
    .map((config) => ({ glob: compileGlob(config.match), config }));
}

/** Reads the rules top to bottom: each attribute comes from the first rule that matches and has it. */
export function rulesFor(rules: readonly CompiledRule[], tool: ToolFacts): ToolRules {
  const matching = rules.filter(
    (rule) => hintMatches(rule.config.hint, tool) && rule.glob.matches(tool.name),
  );
  return {
    scope: first(matching, (rule) => rule.scope),
    limit: first(matching, (rule) => rule.limit),
    confirm: first(matching, (rule) => rule.confirm),
    show: first(matching, (rule) => rule.show),
  };
}

function first<T>(
  rules: readonly CompiledRule[],
  attribute: (rule: ToolRuleConfig) => T | null,
): Attribute<T> | null {
  for (const { config } of rules) {
    const value = attribute(config);
    if (value !== null) return { value, rule: config.source };
  }
  return null;
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
    scope: null,
    limit: null,
    confirm: null,
    show: null,
    source,
  };
}
