import { isRefusal, type Refusal, type RefusalCode, refuse } from '../../base/index.ts';
import type { Held } from '../../pins/index.ts';
import type { Decision, ToolFacts } from '../../policy/index.ts';
import { checkMirroredParameters } from '../../protocol/index.ts';
import { type AuthorizedCall, askingOf, type IdentifiedCall } from '../call.ts';
import { enforce } from '../observe.ts';
import type { Runtime } from '../runtime.ts';

type Allowed = Extract<Decision, { allow: true }>;
type Denied = Extract<Decision, { allow: false }>;

/** May this principal do this: session, policy, mirrored parameters, arguments. */
export async function authorize(call: IdentifiedCall, runtime: Runtime): Promise<AuthorizedCall | Refusal> {
  const opened = openSession(call, runtime);
  if (isRefusal(opened)) return opened;
  if (runtime.tasks.isForeign(call)) return refuse('task_unknown', 'Task not found');
  const { operation, server, principal } = call;
  const facts = operation.kind === 'tool' ? await server.catalog.find(operation.name) : null;
  const decision = server.policy.decide(operation, facts, askingOf(call));
  Object.assign(call, { decision }); // the record names the rule, also of a refusal
  if (operation.kind === 'tool')
    Object.assign(call, { capture: server.policy.capture(operation, facts, askingOf(call)) });
  // A tool that this caller must not know of answers as one that is not there, before its schema is looked at.
  if (!decision.allow && !decision.known) {
    if (facts !== null && facts !== 'unknown') await server.catalog.recheck();
    const refused = enforceDecision(call, decision);
    if (refused) return refused;
  }
  const pin = operation.kind === 'tool' ? server.pins.stateOf(operation.name, principal.subjectKey) : null;
  call.noted.tool_def_hash = pin?.quarantine ? pin.quarantine.hash : (pin?.hash ?? null);
  const held = pin?.quarantine ? enforce(call, 'pins', quarantined(pin.quarantine)) : null;
  if (held) return held;
  const mismatch = checkParameters(call, facts);
  if (mismatch) return mismatch;
  if (!decision.allow && decision.known) {
    const refused = enforceDecision(call, decision);
    if (refused && decision.code === 'scope_missing') server.stepUpExpected(principal);
    if (refused) return refused;
  }
  const unfit = checkArguments(call, facts);
  const refused = unfit && enforce(call, 'arguments', unfit);
  if (refused) return refused;
  const effective = decision.allow ? decision : observedDecision(call, facts, decision);
  return Object.assign(call, { decision: effective, ...opened, facts: facts === 'unknown' ? null : facts });
}

/**
 * The ids that the client holds are bound to its principal: anybody else's are as unknown as one that never was. What an upstream
 * replays from an event is that event's stream, whoever asks.
 */
function openSession(
  call: IdentifiedCall,
  { sessions }: Runtime,
): Pick<AuthorizedCall, 'session' | 'lastEvent'> | Refusal {
  const { server, principal, era, httpMethod } = call;
  const { headers } = call.request;
  const owner = { server: server.name, principal: principal.key };
  const sealed = era === 'legacy' ? (headers.get('mcp-session-id') ?? null) : null;
  const session = sealed === null ? null : sessions.open(owner, sealed);
  if (sealed !== null && session === null) return refuse('session_unknown', 'Session not found');
  const named = httpMethod === 'GET' ? (headers.get('last-event-id') ?? '') : '';
  const lastEvent = named === '' ? null : sessions.events.open(owner, named);
  if (named !== '' && lastEvent === null) return refuse('session_unknown', 'Event not found');
  return { session, lastEvent };
}

/** Methods that are not MCP's, or list what is everybody's, are refused in any mode. */
function enforceDecision(call: IdentifiedCall, decision: Denied): Refusal | null {
  const refusal = refusalOf(decision);
  return decision.code === 'unknown_method' ? refusal : enforce(call, 'scopes', refusal);
}

/** What a caller with every scope would meet, so that limits and confirmation are observed too. */
function observedDecision(
  call: IdentifiedCall,
  facts: ToolFacts | 'unknown' | null,
  denied: Denied,
): Allowed {
  const { server, operation } = call;
  const asking = askingOf(call);
  const scopes = server.policy.scopes();
  const decision = server.policy.decide(operation, facts, {
    ...asking,
    caller: { ...asking.caller, scopes },
  });
  if (decision.allow) return { ...decision, rule: denied.rule, scopes: denied.required };
  return {
    allow: true,
    rule: denied.rule,
    scopes: denied.required,
    confirm: null,
    limit: null,
    destructive: true,
  };
}

/** A definition that nobody has looked at yet. Says no more than that: what was found is for the operator. */
function quarantined({ hash, findings }: Held): Refusal {
  const kinds = [...new Set(findings.map(({ kind }) => kind))].join(' ');
  return refuse('tool_quarantined', 'The definition of this tool waits for the approval of the operator', {
    detail: `${hash ?? 'unreadable'}: ${kinds}`,
  });
}

function checkParameters(call: IdentifiedCall, facts: ToolFacts | 'unknown' | null): Refusal | null {
  const { operation, era, request } = call;
  if (era !== 'modern' || operation.kind !== 'tool' || facts === null || facts === 'unknown') return null;
  if (!facts.headerParameters) return null;
  return checkMirroredParameters(
    facts.headerParameters,
    (name) => request.headers.get(name),
    operation.arguments,
  );
}

/**
 * Only of a call that the policy allows: whoever may not call a tool learns nothing of its schema. The answer tells where and what, never
 * a value; names in it are the schema's.
 */
function checkArguments(call: IdentifiedCall, facts: ToolFacts | 'unknown' | null): Refusal | null {
  const { operation, server } = call;
  if (operation.kind !== 'tool' || facts === null || facts === 'unknown') return null;
  const verdict = server.argumentsCheck?.check(facts, operation.arguments);
  if (verdict === undefined || verdict.fits === true) return null;
  if (verdict.fits === 'unknown') {
    const message = 'The arguments cannot be checked against the schema of this tool';
    return enforce(call, 'arguments', refuse('arguments_unchecked', message, { detail: verdict.reason }));
  }
  const path = verdict.path.slice(0, 200);
  const { problem } = verdict;
  const refusal = refuse('arguments_invalid', `Invalid arguments: ${path || 'the whole'} ${problem}`, {
    detail: `${path} ${problem}`.trim(),
    data: { path, problem },
  });
  return enforce(call, 'arguments', refusal);
}

function refusalOf(decision: Extract<Decision, { allow: false }>): Refusal {
  const detail =
    decision.detail ??
    `${decision.rule}${decision.required.length > 0 ? ` requires ${decision.required.join(' ')}` : ''}`;
  switch (decision.code) {
    case 'scope_missing':
      return refuse('scope_missing', 'The access token lacks a scope', { detail, scopes: decision.scopes });
    case 'unknown_method':
      return refuse('unknown_method', 'Method not found', { detail });
    default:
      return decision.known
        ? refusedForArguments(decision.code, detail)
        : refusedAsUnknown(decision.code, detail);
  }
}

/** One answer for tools that are not there, hidden, or not decided on: names cannot be found out by asking. */
function refusedAsUnknown(code: RefusalCode, detail: string): Refusal {
  return refuse(code, 'Unknown tool', { detail, data: { reason: 'unknown_tool' } });
}

/** The caller sees the tool in its list. Which rule, and whether it could be decided, is for the record. */
function refusedForArguments(code: RefusalCode, detail: string): Refusal {
  return refuse(code, 'The policy does not allow this call with these arguments', {
    detail,
    data: { reason: 'policy_denied' },
  });
}
