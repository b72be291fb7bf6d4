import type { ToolCapture, ToolFacts } from './decision.ts';
import { type CompiledRule, rulesMatching, type Verdict } from './rule.ts';

/** Where no rule says anything. */
export const hashAlone: ToolCapture = Object.freeze({ as: 'hash', fields: Object.freeze([]) });
const nothing: ToolCapture = Object.freeze({ as: 'none', fields: Object.freeze([]) });

/**
 * What the record keeps of a call: the first rule that matches and says so. Never part of a decision: a condition that cannot
 * be decided here denies nothing, and then as little is kept as any rule that might apply would keep.
 */
export function captureOf(
  rules: readonly CompiledRule[],
  facts: ToolFacts,
  applies: (rule: CompiledRule) => Verdict,
): ToolCapture {
  const saying = rulesMatching(rules, facts).filter(({ config }) => config.capture !== null);
  for (const [index, rule] of saying.entries()) {
    const verdict = applies(rule);
    if (typeof verdict === 'object') return leastOf(saying.slice(index));
    if (verdict) return rule.config.capture ?? hashAlone;
  }
  return hashAlone;
}

/**
 * For a name that a stranger sent, or a tool that nobody knows: a hash at most, and none where a rule that may be meant keeps
 * none. Hints and conditions are not asked.
 */
export function leastCapture(rules: readonly CompiledRule[], name: string): ToolCapture {
  const saying = rules.filter(({ config, glob }) => config.capture !== null && glob.matches(name));
  const sure = saying.findIndex(({ config, condition }) => config.hint === null && condition === null);
  return leastOf(sure < 0 ? saying : saying.slice(0, sure + 1));
}

/** While the tool's hints cannot be had: what its name alone says, where that is beyond doubt. */
export function captureByName(rules: readonly CompiledRule[], name: string): ToolCapture {
  const first = rules.find(({ config, glob }) => config.capture !== null && glob.matches(name));
  const sure = first && first.config.hint === null && first.condition === null;
  return (sure ? first.config.capture : null) ?? leastCapture(rules, name);
}

/** Whoever can make a rule undecidable must not gain by it that more is kept than any of them would keep. */
function leastOf(rules: readonly CompiledRule[]): ToolCapture {
  return rules.some(({ config }) => config.capture?.as === 'none') ? nothing : hashAlone;
}

/** The rules that speak of captures; most configurations have none. */
export function captureRules(rules: readonly CompiledRule[]): readonly CompiledRule[] {
  return rules.filter(({ config }) => config.capture !== null);
}
