import type { CaseHint, InspectedConfig } from '../config/index.ts';
import { type Asking, compilePolicy, type Decision, type ToolFacts, type Trace } from '../policy/index.ts';
import type { JsonObject } from '../protocol/index.ts';
import { UsageError } from './command.ts';

/** One call, as it could come. */
export interface Question {
  readonly tool: string;
  /** Null: the only one of the configuration. */
  readonly server: string | null;
  readonly hints: readonly CaseHint[];
  readonly args: JsonObject;
  readonly asking: Asking;
}

export interface Answer {
  readonly server: string;
  readonly outcome: 'allow' | 'confirm' | 'step-up' | 'deny';
  readonly show: 'open' | 'locked' | 'hidden';
  /** A word of the audit record; null where the call is allowed. */
  readonly reason: string | null;
  readonly why: string;
  readonly attributes: readonly Given[];
  /** Rules that match the tool and have a `when`. */
  readonly conditions: readonly Condition[];
}

/** An attribute, and the line that says so. Value and rule are null where no rule has it. */
export interface Given {
  readonly name: 'scope' | 'limit' | 'confirm' | 'show';
  readonly value: string | null;
  readonly rule: string | null;
  readonly origin: string | null;
}

export interface Condition {
  readonly rule: string;
  readonly origin: string | null;
  readonly when: string;
  /** Or why it cannot be said. */
  readonly holds: boolean | string;
}

export function askPolicy(config: InspectedConfig, question: Question): Answer {
  const server = serverOf(config, question.server);
  const { tools, resources, prompts } = config.policy;
  const policy = compilePolicy({ server, rules: tools, resources, prompts });
  const facts = factsOf(question.tool, question.hints);
  const trace = policy.trace(facts, question.asking, question.args);
  const written = new Map(config.explain.map((one) => [one.path, one]));
  const originOf = (path: string) => written.get(path)?.origin ?? null;
  return {
    server,
    show: trace.listing.visibility,
    ...outcomeOf(trace.decision),
    attributes: attributesOf(trace, config),
    conditions: trace.conditions.map(({ rule, when, holds }) => ({
      rule,
      origin: originOf(`${rule}.when`),
      when,
      holds: typeof holds === 'boolean' ? holds : holds.message,
    })),
  };
}

function serverOf({ servers }: InspectedConfig, named: string | null): string {
  const only = servers.length === 1 ? servers[0] : undefined;
  const server = named ?? only;
  if (server !== undefined && servers.includes(server)) return server;
  const choice = `write --server ${servers.join(' or ')}`;
  throw new UsageError(named === null ? 'there are several servers' : `there is no server ${named}`, choice);
}

function factsOf(name: string, hints: readonly CaseHint[]): ToolFacts {
  return {
    name,
    ...(hints.includes('readOnly') ? { readOnlyHint: true } : {}),
    ...(hints.includes('destructive') ? { destructiveHint: true } : {}),
    ...(hints.includes('additive') ? { destructiveHint: false } : {}),
    ...(hints.includes('idempotent') ? { idempotentHint: true } : {}),
    ...(hints.includes('closedWorld') ? { openWorldHint: false } : {}),
  };
}

function outcomeOf(decision: Decision): Pick<Answer, 'outcome' | 'reason' | 'why'> {
  if (decision.allow) {
    if (decision.confirm === null)
      return { outcome: 'allow', reason: null, why: 'the caller holds the scope' };
    const who = decision.confirm === 'self' ? 'the caller' : 'another person';
    return { outcome: 'confirm', reason: null, why: `${who} has to confirm it` };
  }
  const { code, required, known } = decision;
  if (code === 'scope_missing')
    return { outcome: 'step-up', reason: code, why: `the caller lacks ${required.join(' ')}` };
  return { outcome: 'deny', reason: code, why: whyDenied(decision, known) };
}

function whyDenied({ code, rule, detail }: Extract<Decision, { allow: false }>, known: boolean): string {
  if (code === 'policy_undecided') return detail ?? `${rule} cannot be decided`;
  if (code === 'unknown_tool') return `${rule} hides the tool from this caller`;
  return known ? 'no rule with a scope covers these arguments' : 'no rule with a scope names the tool';
}

function attributesOf({ rules }: Trace, { explain }: InspectedConfig): Given[] {
  return (['scope', 'limit', 'confirm', 'show'] as const).map((name) => {
    const given = rules[name];
    if (given === null) return { name, value: null, rule: null, origin: null };
    const path = `${given.rule}.${name}`;
    const parts = explain.filter(
      (one) => one.path === path || one.path.startsWith(`${path}.`) || one.path.startsWith(`${path}[`),
    );
    const value = parts.map((one) => one.value).join(' ') || String(given.value);
    return { name, value, rule: given.rule, origin: parts[0]?.origin ?? 'built-in rules' };
  });
}
