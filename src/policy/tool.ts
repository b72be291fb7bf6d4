import type { Circumstances, ConditionError, ToolView } from './conditions/index.ts';
import type { Asking, ToolFacts } from './decision.ts';
import type { Allowed } from './operations.ts';
import {
  type CompiledRule,
  isDestructive,
  isReadOnly,
  type Resolution,
  resolve,
  rulesMatching,
  type Verdict,
} from './rule.ts';
import { satisfies } from './scopes.ts';

/** All that can be worked out of one tool before anybody calls it. */
export interface ToolPlan {
  readonly tool: ToolView;
  /** Those that match it, in order. Conditions that read nothing but the tool have been asked already. */
  readonly matching: readonly CompiledRule[];
  /** The answer where no condition is left to ask: the same for every call. */
  readonly fixed: Judgement | null;
}

/** What the rules make of one tool for one caller, with the arguments or before there are any. */
export interface Judgement extends Resolution {
  /** The answer to a caller who holds the scope; null: no rule gives it a scope, so nobody may call it. */
  readonly allow: Allowed | null;
}

export type Visibility = 'open' | 'locked' | 'hidden';

/** How `tools/list` shows a tool to one caller. */
export interface Listing {
  readonly visibility: Visibility;
  /** What a call needs: of several scopes that depend on the arguments one that the caller holds, or the narrowest. */
  readonly scopes: readonly string[];
  /** Why it is hidden: the rule, or the condition that could not be decided. */
  readonly judgement: Judgement;
}

export function planTool(rules: readonly CompiledRule[], facts: ToolFacts, server: string): ToolPlan {
  const tool = viewOf(facts, server);
  const matching = rulesMatching(rules, facts).flatMap((rule) => foldCondition(rule, tool));
  const fixed = matching.every(({ condition }) => condition === null)
    ? judgementOf(
        resolve(matching, () => true),
        tool,
      )
    : null;
  return { tool, matching, fixed };
}

/** The answer to a call, or before there are arguments (null): then rules whose condition reads them do not apply. */
export function judge(plan: ToolPlan, asking: Asking, args: Circumstances['args']): Judgement {
  if (plan.fixed !== null) return plan.fixed;
  const circumstances = { tool: plan.tool, args, caller: asking.caller, now: asking.now };
  return judgementOf(
    resolve(plan.matching, (rule) => verdictOf(rule, circumstances)),
    plan.tool,
  );
}

/**
 * A tool is listed for whoever could call it with some arguments, and hidden by what does not depend on them: so a call is
 * never answered as unknown for a tool that was listed, nor the other way round.
 */
export function listingOf(plan: ToolPlan, asking: Asking): Listing {
  const judgement = judge(plan, asking, null);
  const { scopes: granted } = asking.caller;
  const possible = possibleScopes(plan, judgement);
  if (judgement.undecided !== null || possible.length === 0 || isHidden(judgement, granted)) {
    return { visibility: 'hidden', scopes: [], judgement };
  }
  const held = possible.find((scope) => satisfies(granted, [scope]));
  const open = held !== undefined || judgement.rules.show?.value === 'open';
  return { visibility: open ? 'open' : 'locked', scopes: [held ?? narrowest(possible)], judgement };
}

/** A condition and what it is for one call. */
export interface AskedCondition {
  readonly rule: string;
  readonly when: string;
  readonly holds: boolean | ConditionError;
}

export function conditionsOf(plan: ToolPlan, asking: Asking, args: Circumstances['args']): AskedCondition[] {
  const circumstances = { tool: plan.tool, args, caller: asking.caller, now: asking.now };
  return plan.matching.flatMap(({ condition, config }) =>
    condition === null
      ? []
      : [{ rule: config.source, when: condition.text, holds: condition.evaluate(circumstances) }],
  );
}

/**
 * `show: hidden` beside the scope in one rule hides the tool from those who lack that scope; a rule that hides without
 * naming a scope means nobody. Where it is in doubt, hidden.
 */
function isHidden({ rules: { scope, show }, allow }: Judgement, granted: readonly string[]): boolean {
  if (show?.value !== 'hidden') return false;
  return show.rule !== scope?.rule || allow === null || !satisfies(granted, allow.scopes);
}

/** Scopes that a call may need, by its arguments: of the rules whose condition reads them, and the one without. */
function possibleScopes({ fixed, matching }: ToolPlan, { rules }: Judgement): readonly string[] {
  if (fixed !== null) return fixed.allow?.scopes ?? [];
  const found: string[] = [];
  for (const { config, condition } of matching) {
    if (config.source === rules.scope?.rule) break;
    if (config.scope !== null && condition?.reads.has('args')) found.push(config.scope);
  }
  if (rules.scope !== null) found.push(rules.scope.value);
  return found;
}

function narrowest(scopes: readonly string[]): string {
  const isNarrow = (scope: string) =>
    scopes.every((other) => other === scope || !satisfies([scope], [other]));
  return scopes.find(isNarrow) ?? scopes[0] ?? '';
}

/** True and false stand for as long as the tool does. */
function foldCondition(rule: CompiledRule, tool: ToolView): CompiledRule[] {
  const { condition } = rule;
  if (condition === null || [...condition.reads].some((name) => name !== 'tool')) return [rule];
  const holds = condition.evaluate({ tool, args: null, caller: nobody, now: 0 });
  if (typeof holds !== 'boolean') return [rule];
  return holds ? [{ ...rule, condition: null }] : [];
}

const nobody = { subject: '', issuer: '', client: '', organization: '', scopes: [] } as const;

function verdictOf({ condition }: CompiledRule, circumstances: Circumstances): Verdict {
  if (condition === null) return true;
  if (circumstances.args === null && condition.reads.has('args')) return false;
  return condition.evaluate(circumstances);
}

function viewOf(facts: ToolFacts, server: string): ToolView {
  return {
    name: facts.name,
    server,
    readOnly: isReadOnly(facts),
    destructive: isDestructive(facts),
    idempotent: facts.idempotentHint === true,
    openWorld: facts.openWorldHint !== false,
  };
}

function judgementOf(resolution: Resolution, tool: ToolView): Judgement {
  const { scope, confirm, limit } = resolution.rules;
  if (scope === null || resolution.undecided !== null) return { ...resolution, allow: null };
  const allow: Allowed = Object.freeze({
    allow: true,
    rule: scope.rule,
    scopes: Object.freeze([scope.value]),
    confirm: confirm?.value ?? null,
    limit: limit?.value ?? null,
    destructive: tool.destructive,
  });
  return { ...resolution, allow };
}
