import { type Clock, messageOf, OperationError, silentLog, timestamp } from '../base/index.ts';
import type { PostgresConfig } from '../config/index.ts';
import type { JsonObject } from '../protocol/index.ts';
import { hashMatcher } from './arguments-hash.ts';
import { type AuditorKeys, openSealed } from './capture/sealed.ts';
import { createAuditTrail } from './create.ts';
import type { HashingKey } from './keys.ts';
import type { StoredRecord } from './query.ts';

/** What a record had to show to whoever has the auditor's private key. */
export interface OpenedArguments {
  readonly request_id: string;
  readonly timestamp: string;
  readonly server: string;
  readonly tool_name: string | null;
  /** Null where there is nothing to show, and `problem` says why. */
  readonly arguments: JsonObject | null;
  readonly key_id: string | null;
  /** Whether fields were left out by a rule, or for their size. */
  readonly redacted: boolean;
  readonly cut: boolean;
  /** Whether they are what `arguments_hash` was made of; null where that cannot be said. */
  readonly matches_hash: boolean | null;
  readonly problem: string | null;
}

/** @param hashing keys of the trail; null where they are not at hand */
export async function openArguments(
  record: StoredRecord,
  keys: AuditorKeys,
  hashing: readonly HashingKey[] | null,
): Promise<OpenedArguments> {
  const { request_id, server, tool_name, capture, arguments: sealed } = record;
  const about = { request_id, timestamp: record.timestamp, server, tool_name };
  const unopened = { arguments: null, key_id: null, redacted: false, cut: false, matches_hash: null };
  if (capture !== 'encrypted' || sealed === null) {
    return {
      ...about,
      ...unopened,
      problem: `there is nothing encrypted: its capture is ${capture ?? 'none'}`,
    };
  }
  const opening = await openSealed(sealed, { request_id, server, tool: tool_name ?? '' }, keys);
  if (!opening.opened) {
    return { ...about, ...unopened, problem: `${problems[opening.problem]}: ${opening.detail}` };
  }
  const { content, keyId } = opening;
  const { redacted, cut } = content;
  const whole = !redacted && !cut && hashing !== null && record.arguments_hash !== null;
  const matches = whole ? hashMatcher(content, hashing)(record.arguments_hash, record.organization) : null;
  const problem = matches === false ? 'these are not the arguments that the record has the hash of' : null;
  return {
    ...about,
    arguments: content.arguments,
    key_id: keyId,
    redacted,
    cut,
    matches_hash: matches,
    problem,
  };
}

const problems = {
  broken: 'it was changed, or never was what it should be',
  'other key': 'none of these keys opens it',
  'other record': 'it does not belong to this record',
} as const;

export interface OpeningNote {
  readonly dataDir: string;
  readonly postgres: PostgresConfig | null;
  readonly clock: Clock;
  /** Who looks. */
  readonly by: string;
}

/** Puts on record that somebody looks, before anything is shown. @throws OperationError where it cannot be recorded */
export async function recordOpening(
  { dataDir, postgres, clock, by }: OpeningNote,
  { request_id, tool_name, key_id, problem }: OpenedArguments,
): Promise<void> {
  try {
    const trail = await createAuditTrail({ dataDir, postgres, clock, log: silentLog });
    const data = { by, key_id, opened: problem === null };
    trail.event({ timestamp: timestamp(clock.now()), event: 'audit.opened', request_id, tool_name, data });
    await trail.flush();
    await trail.close();
  } catch (error) {
    throw new OperationError(`that you look cannot be recorded, so nothing is shown: ${messageOf(error)}`);
  }
}
