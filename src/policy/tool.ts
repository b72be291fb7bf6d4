import type { ToolFacts } from './decision.ts';
import type { Allowed } from './operations.ts';
import { type CompiledRule, isDestructive, rulesFor, type ToolRules } from './rule.ts';
import { type Granted, satisfies } from './scopes.ts';

/** All that policy has to say of one tool, worked out once. */
export interface ToolPlan {
  readonly rules: ToolRules;
  /** The answer to a caller who holds the scope; null: no rule gives it a scope, so nobody may call it. */
  readonly allow: Allowed | null;
  /** Who does not see it: everybody, or whoever lacks the scope. */
  readonly hiddenFrom: 'everybody' | 'ungranted' | 'nobody';
}

export function planTool(rules: readonly CompiledRule[], tool: ToolFacts): ToolPlan {
  const found = rulesFor(rules, tool);
  return { rules: found, allow: allowOf(found, tool), hiddenFrom: hiddenFrom(found) };
}

/** `open` and `locked` as `show` says, or by the scope; hidden tools are refused when called, as unknown ones are. */
export function visibilityOf(plan: ToolPlan, granted: Granted): 'open' | 'locked' | 'hidden' {
  if (plan.allow === null || plan.hiddenFrom === 'everybody') return 'hidden';
  if (plan.rules.show?.value === 'open' || satisfies(granted, plan.allow.scopes)) return 'open';
  return plan.hiddenFrom === 'ungranted' ? 'hidden' : 'locked';
}

function allowOf(rules: ToolRules, tool: ToolFacts): ToolPlan['allow'] {
  if (rules.scope === null) return null;
  return Object.freeze({
    allow: true,
    rule: rules.scope.rule,
    scopes: Object.freeze([rules.scope.value]),
    confirm: rules.confirm?.value ?? null,
    limit: rules.limit?.value ?? null,
    destructive: isDestructive(tool),
  });
}

/**
 * `show: hidden` beside the scope in one rule hides the tool from those who lack that scope; a rule that hides without
 * naming a scope means nobody. Where it is in doubt, hidden.
 */
function hiddenFrom({ scope, show }: ToolRules): ToolPlan['hiddenFrom'] {
  if (show?.value !== 'hidden') return 'nobody';
  return show.rule === scope?.rule ? 'ungranted' : 'everybody';
}
