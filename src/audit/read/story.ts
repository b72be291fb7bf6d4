import { neutralText } from '../../base/index.ts';
import { formatRecord } from '../format.ts';
import type { StoredRecord } from '../query.ts';
import type { CallTrace } from './trace.ts';

/** What happened to one call, for people: one line a matter, in the order of the pipeline. Safe on a terminal. */
export function storyOf(trace: CallTrace): string[] {
  const call = trace.outcome ?? trace.intent;
  if (!call) return [];
  return [
    ...line('call', [trace.request_id, call.timestamp, call.server, whatOf(call)]),
    ...line('from', [call.address, call.user_agent]),
    ...line('token', tokenOf(call)),
    ...line('arguments', argumentsOf(call)),
    ...line('policy', policyOf(call)),
    ...line('limits', limitsOf(call)),
    ...line('approval', approvalOf(call)),
    ...line(
      'observed',
      call.would_deny.map(({ layer, reason }) => `${layer} would have refused: ${reason}`),
    ),
    ...line('left', [departure(trace)]),
    ...line('outcome', outcomeOf(trace)),
    ...trace.events.map((event) => `${'event'.padEnd(width)}${formatRecord(event)}`),
    ...neighbours(trace),
  ];
}

const width = 11;

function line(name: string, parts: readonly (string | null)[]): string[] {
  const said = parts.filter((part) => part !== null).map((part) => neutralText(part, 500));
  return said.length === 0 ? [] : [`${name.padEnd(width)}${said.join(' · ')}`];
}

function whatOf(call: StoredRecord): string | null {
  return call.tool_name ?? (call.target ? `${call.method} ${call.target}` : call.method);
}

function tokenOf(call: StoredRecord): (string | null)[] {
  if (call.subject === null && call.client_id === null) return ['nobody is known'];
  return [
    call.subject,
    given('client ', call.client_id),
    call.actor.length > 0 ? `acting: ${call.actor.join(' for ')}` : null,
    given('issuer ', call.issuer),
    given('organization ', call.organization),
    given('jti ', call.token_id),
    given('token ', call.token_ref),
    call.auth_method,
    call.scopes.length > 0 ? `scopes ${call.scopes.join(' ')}` : 'no scopes',
  ];
}

const longestShown = 300;

function argumentsOf(call: StoredRecord): (string | null)[] {
  const { capture, arguments: kept, redactions } = call;
  const sealed = capture === 'encrypted' ? 'encrypted: audit open shows them to the auditor' : kept;
  return [
    call.arguments_hash,
    counted(call.arguments_bytes, 'bytes'),
    capture === 'none' ? 'not kept' : sealed && neutralText(sealed, longestShown),
    redactions === null ? null : `${redactions} left out or hidden`,
  ];
}

function policyOf(call: StoredRecord): (string | null)[] {
  const needs = call.scopes_required.length > 0 ? `needs ${call.scopes_required.join(' ')}` : null;
  return [
    given('rule ', call.rule),
    needs,
    given('policy ', call.policy_hash),
    given('definition ', call.tool_def_hash),
  ];
}

function limitsOf(call: StoredRecord): (string | null)[] {
  const { limit_layer: layer, limit_remaining: left, limit_max: most, retry_after_ms: again } = call;
  return [layer, left === null ? null : `${left} of ${most ?? '?'} left`, counted(again, 'ms to wait')];
}

function approvalOf(call: StoredRecord): (string | null)[] {
  return [
    call.approval_id,
    given('by ', call.approver),
    given('by way of ', call.approval_channel),
    counted(call.approval_ms, 'ms'),
  ];
}

function departure({ intent, outcome }: CallTrace): string {
  if (intent)
    return `for ${intent.server}, after its intent was on disk (${intent.writer}/${intent.position})`;
  return outcome?.result === 'success' ? 'not: answered here' : 'not: refused or answered here';
}

function outcomeOf({ outcome }: CallTrace): (string | null)[] {
  if (!outcome) return ['unknown: it runs still, or its gateway died before it could say'];
  return [
    outcome.result,
    outcome.reason,
    outcome.detail,
    given('HTTP ', outcome.http_status === null ? null : String(outcome.http_status)),
    counted(outcome.latency_ms, 'ms'),
    counted(outcome.latency_upstream_ms, 'ms at the server'),
    counted(outcome.result_bytes, 'bytes back'),
    given('result ', outcome.result_hash),
  ];
}

function neighbours({ neighbours: others }: CallTrace): string[] {
  if (others.length === 0) return [];
  return ['', 'The same token before and after:', ...others.map((other) => `  ${formatRecord(other)}`)];
}

function given(lead: string, value: string | null): string | null {
  return value === null ? null : `${lead}${value}`;
}

function counted(value: number | null, unit: string): string | null {
  return value === null ? null : `${Math.round(value)} ${unit}`;
}
