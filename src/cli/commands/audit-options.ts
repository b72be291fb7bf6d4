import type { AuditFilter, StoredResult } from '../../audit/index.ts';
import { type CommandContext, type Given, type OptionSpec, UsageError } from '../command.ts';

// What the commands that read the trail have in common.

const results: readonly StoredResult[] = [
  'success',
  'tool_error',
  'error',
  'timeout',
  'cancelled',
  'malformed',
  'denied_auth',
  'denied_audience',
  'denied_scope',
  'denied_policy',
  'denied_rate',
  'denied_approval',
  'pending_approval',
  'unknown',
];

export const filterOptions: Readonly<Record<string, OptionSpec>> = {
  client: { value: 'ID', help: 'of this client' },
  subject: { value: 'ID', help: 'of this person or machine' },
  tool: { value: 'NAME', help: 'of this tool' },
  result: { value: 'RESULT', help: results.join(', ') },
  reason: { value: 'REASON', help: 'with this reason, such as scope_missing' },
  'request-id': { value: 'ID', help: 'this call' },
  server: { value: 'NAME', help: 'to this server' },
  hash: { value: 'HASH', help: 'with these arguments: their hash, as recorded' },
  jti: { value: 'ID', help: 'with this token' },
  'token-ref': { value: 'REF', help: 'with this token, which has no jti: its reference, as recorded' },
  organization: { value: 'ID', help: 'of this organization' },
  address: { value: 'IP', help: 'from this address' },
  event: { value: 'NAME', help: 'events of this name, such as token.issued' },
  events: { help: 'sign-ins, tokens, reloads and the like too' },
};

const maxLimit = 1_000_000;

export const periodOptions: Readonly<Record<string, OptionSpec>> = {
  since: { value: 'TIME', help: 'from then on: 30m, 24h, 7d, or 2026-07-28T10:00:00Z' },
  until: { value: 'TIME', help: 'before then' },
};

/** `--since` and `--until`, as the filter has them. */
export async function periodOf(
  given: Given,
  { clock }: CommandContext,
): Promise<Pick<AuditFilter, 'since' | 'until'>> {
  const { parseTime } = await import('../../audit/index.ts');
  const time = (option: 'since' | 'until') => {
    const text = given.text(option);
    return text === undefined
      ? {}
      : { [option]: parseTime(text, { now: clock.now(), option: `--${option}` }) };
  };
  return { ...time('since'), ...time('until') };
}

export function filterOf(given: Given): AuditFilter {
  const named = {
    client: 'client',
    subject: 'subject',
    tool: 'tool',
    reason: 'reason',
    'request-id': 'requestId',
    server: 'server',
    hash: 'argumentsHash',
    jti: 'tokenId',
    'token-ref': 'tokenRef',
    organization: 'organization',
    address: 'address',
    event: 'event',
  };
  const texts = Object.entries(named).flatMap(([option, key]) => {
    const text = given.text(option);
    return text === undefined ? [] : [[key, text]];
  });
  const result = resultOf(given.text('result'));
  return {
    ...(Object.fromEntries(texts) as AuditFilter),
    ...(result === undefined ? {} : { result }),
    ...(given.has('events') ? { events: true } : {}),
  };
}

function resultOf(text: string | undefined): StoredResult | undefined {
  const result = results.find((one) => one === text);
  if (text === undefined || result !== undefined) return result;
  throw new UsageError('--result is no result', `choose from ${results.join(', ')}`);
}

export function countOf(given: Given, option: string, fallback: number): number {
  const text = given.text(option);
  if (text === undefined) return fallback;
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= maxLimit) return count;
  throw new UsageError(`--${option} is no number of calls`, `write --${option} ${fallback}`);
}
