import { sha256Hex } from '../base/index.ts';
import type { ToolRuleConfig } from '../config/index.ts';
import type { JsonObject } from '../protocol/index.ts';
import { captureByName, captureOf, captureRules, hashAlone, leastCapture } from './capture.ts';
import type { Asking, Decision, Operation, ToolCapture, ToolFacts } from './decision.ts';
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
import {
  type AskedCondition,
  conditionsOf,
  type Judgement,
  judge,
  type Listing,
  listingOf,
  planTool,
  type ToolPlan,
} from './tool.ts';

/** May a caller do this? Pure and synchronous; made once for each server when the configuration is loaded. */
export interface Policy {
  /** `sha256:<hex>`: names what decides, in records. The same for the same rules. */
  readonly hash: string;
  /**
   * @param facts what the upstream says of the tool; null: its list cannot be had, the worst is assumed;
   *   `unknown`: it has a list and the tool is not on it. Ignored for operations that are no tool call.
   *   An object is read once and remembered by identity: make a new one when the upstream's list changes.
   * @param asking who calls, from the verified token, and when
   */
  decide(operation: Operation, facts: ToolFacts | null | 'unknown', asking: Asking): Decision;
  /** How `tools/list` shows a tool to a caller: usable, named but locked, or not at all. Agrees with `decide`. */
  listing(facts: ToolFacts, asking: Asking): Listing;
  /** What the record keeps of a call's arguments. Decides nothing. */
  capture(call: ToolOperation, facts: ToolFacts | null | 'unknown', asking: Asking): ToolCapture;
  /** The same for a call whose caller or tool is not known: a hash, or nothing where a rule says so. */
  leastCapture(tool: string): ToolCapture;
  /** What the rules say of a tool, each attribute with the rule that gave it. */
  explain(facts: ToolFacts, asking: Asking, args?: JsonObject): ToolRules;
  /** How it comes to its decision on a call, for the operator's terminal. */
  trace(facts: ToolFacts, asking: Asking, args: JsonObject): Trace;
  /** Every scope that this policy can ask for, standard ones first. */
  scopes(): readonly string[];
  /** What a client should ask for at first: reading only. More comes by step-up. */
  baseline(): readonly string[];
}

export type ToolOperation = Extract<Operation, { kind: 'tool' }>;

export interface Trace {
  readonly listing: Listing;
  readonly decision: Decision;
  readonly rules: ToolRules;
  readonly capture: ToolCapture;
  /** Of the rules that match the tool, but for those that the tool alone decided. */
  readonly conditions: readonly AskedCondition[];
}

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
  const { server } = options;
  const planOf = rememberPlans(rules, server);
  const capturing = captureRules(rules);
  const captureFor: Policy['capture'] = (call, facts, asking) => {
    if (capturing.length === 0) return hashAlone;
    if (facts === 'unknown') return leastCapture(capturing, call.name);
    if (facts === null) return captureByName(capturing, call.name);
    const circumstances = { ...asking, tool: planOf(facts).tool, args: call.arguments };
    return captureOf(capturing, facts, ({ condition }) => condition?.evaluate(circumstances) ?? true);
  };

  return {
    hash: hashOf(options),
    decide(operation, facts, asking) {
      const { scopes: granted } = asking.caller;
      if (operation.kind === 'tool') {
        const tool = toolToJudge(operation.name, facts);
        if (tool === null) return unknownTool;
        const plan = facts === null ? planTool(rules, tool, server) : planOf(tool);
        return decideTool(plan, { asking, args: operation.arguments, known });
      }
      const requirement = requirementOf(operation);
      if (requirement === null) return unknownMethod;
      if (!satisfies(granted, requirement.scopes)) return scopeMissing(requirement, granted, known);
      return requirement;
    },
    capture: captureFor,
    leastCapture: (tool) => leastCapture(capturing, tool),
    listing: (facts, asking) => listingOf(planOf(facts), asking),
    explain: (facts, asking, args) => judge(planOf(facts), asking, args ?? null).rules,
    trace(facts, asking, args) {
      const plan = planOf(facts);
      return {
        listing: listingOf(plan, asking),
        decision: decideTool(plan, { asking, args, known }),
        rules: judge(plan, asking, args).rules,
        capture: captureFor({ kind: 'tool', name: facts.name, arguments: args }, facts, asking),
        conditions: conditionsOf(plan, asking, args),
      };
    },
    scopes: () => scopes,
    baseline: () => baselineOf(scopes),
  };
}

function hashOf({ server, rules, resources, prompts }: PolicyOptions): string {
  const own = rules?.filter((rule) => rule.server === null || rule.server === server) ?? null;
  return `sha256:${sha256Hex(JSON.stringify([own, resources, prompts]))}`;
}

function toolToJudge(name: string, facts: ToolFacts | null | 'unknown'): ToolFacts | null {
  if (facts === 'unknown') return null;
  if (facts === null) return name.length > longestUnlistedName ? null : { name };
  return facts.name === name ? facts : null; // facts of another tool say nothing of this one
}

interface ToolCall {
  readonly asking: Asking;
  /** Attacker-controlled. */
  readonly args: JsonObject;
  readonly known: readonly string[];
}

/** What the list hides is refused before the arguments are looked at, so that no answer about them tells of it. */
function decideTool(plan: ToolPlan, { asking, args, known }: ToolCall): Decision {
  const { scopes: granted } = asking.caller;
  const { visibility, judgement } = listingOf(plan, asking);
  if (visibility === 'hidden') return deniedAsUnknown(judgement);
  const call = plan.fixed ?? judge(plan, asking, args);
  if (call.undecided !== null) return deniedUndecided(call.undecided, true);
  if (call.allow === null) return notAllowed;
  if (!satisfies(granted, call.allow.scopes)) return scopeMissing(call.allow, granted, known);
  return call.allow;
}

/** The caller's answer is that of an unknown tool; the record names the rule. */
function deniedAsUnknown({ rules, undecided }: Judgement): Decision {
  if (undecided !== null) return deniedUndecided(undecided, false);
  return rules.show?.value === 'hidden' ? denied(rules.show.rule, 'unknown_tool') : policyDenied;
}

function deniedUndecided({ rule, error }: NonNullable<Judgement['undecided']>, known: boolean): Decision {
  const detail = `whether ${rule} applies cannot be said: ${error.reason}`;
  return { allow: false, rule, code: 'policy_undecided', known, scopes: [], required: [], detail };
}

/** The upstream's list has few tools and lives long; a caller's text is never remembered. */
function rememberPlans(rules: readonly CompiledRule[], server: string): (tool: ToolFacts) => ToolPlan {
  const plans = new WeakMap<ToolFacts, ToolPlan>();
  return (tool) => {
    let plan = plans.get(tool);
    if (plan === undefined) {
      plan = planTool(rules, tool, server);
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
    known: true,
    scopes: challengeScopes(granted, requirement.scopes, known),
    required: requirement.scopes,
  };
}

function denied(
  rule: string,
  code: 'policy_denied' | 'unknown_tool' | 'unknown_method',
  known = false,
): Decision {
  const none = Object.freeze([]);
  return Object.freeze({ allow: false, rule, code, known, scopes: none, required: none });
}

const unknownTool = denied('builtin.unknown', 'unknown_tool');
const unknownMethod = denied('builtin.unknown', 'unknown_method');
/** No rule with a scope names the tool: what nobody decided on is not for calling. */
const policyDenied = denied('tools', 'policy_denied');
/** The same for these arguments, of a tool that the caller may call with others. */
const notAllowed = denied('tools', 'policy_denied', true);

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
