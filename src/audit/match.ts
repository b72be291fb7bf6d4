import { type Clock, messageOf, OperationError, silentLog, timestamp } from '../base/index.ts';
import type { JsonObject } from '../protocol/index.ts';
import { hashMatcher, resultMatcher } from './arguments-hash.ts';
import { createAuditTrail } from './create.ts';
import { readAuditKeys, rotateAuditKeys } from './keys.ts';
import type { StoredRecord } from './query.ts';
import { type AuditStore, openAuditSource } from './read/open.ts';
import { queryEntries } from './read/read.ts';

/** What is asked for: what was sent, or what came back. */
export type Guess =
  | { readonly arguments: JsonObject }
  /** The bytes of an answer, as they were sent on. */
  | { readonly result: Uint8Array };

export type MatchQuestion = Guess & {
  readonly tool: string;
  readonly since?: string;
  readonly until?: string;
  /** Who asks, for the record. */
  readonly by: string;
};

export interface Matches {
  /** Newest first. */
  readonly found: readonly StoredRecord[];
  /** Calls of the tool that were compared. */
  readonly compared: number;
  /** Of those: hashed with a key that is not there any more. */
  readonly keyGone: number;
}

/**
 * "Was it this?": the calls of a tool whose arguments, or whose answers, were exactly these. The question is itself recorded, without
 * them, before it is answered: a hash answers whoever may ask often enough.
 * @throws OperationError when there is no trail, or the question cannot be recorded
 */
export async function matchArguments(
  store: AuditStore,
  question: MatchQuestion,
  clock: Clock,
): Promise<Matches> {
  const keys = readAuditKeys(store.dataDir).hashing;
  const matches = 'result' in question ? resultMatcher(question.result, keys) : hashMatcher(question, keys);
  const known = new Set(keys.map(({ id }) => id));
  const found: StoredRecord[] = [];
  let [compared, keyGone] = [0, 0];
  const { tool, since, until } = question;
  const source = await openAuditSource(store, silentLog);
  try {
    const query = { tool, ...(since && { since }), ...(until && { until }) };
    for await (const entry of queryEntries(source, query)) {
      if (entry.phase === 'event') continue;
      const hash = 'result' in question ? entry.result_hash : entry.arguments_hash;
      if (hash === null) continue;
      compared += 1;
      const id = /^hmac-sha256(?:-raw)?:([0-9a-f]+):/.exec(hash)?.[1];
      if (id !== undefined && !known.has(id)) keyGone += 1;
      else if (matches(hash, entry.organization)) found.push(entry);
    }
  } finally {
    await source.close();
  }
  await recordQuestion(store, { question, compared, found: found.length }, clock);
  return { found, compared, keyGone };
}

/** New keys for signing and hashing, on record. A running gateway takes them up at its next start. */
export async function rotateKeys(store: AuditStore, clock: Clock, by: string): Promise<void> {
  const trail = await createAuditTrail({ ...store, clock, log: silentLog });
  const { before, after } = rotateAuditKeys(store.dataDir, clock);
  const data = {
    by,
    signing_before: before.signer.id,
    signing_after: after.signer.id,
    hashing_before: before.hashing[0]?.id ?? null,
    hashing_after: after.hashing[0]?.id ?? null,
  };
  trail.event({ timestamp: timestamp(clock.now()), event: 'audit.keys_rotated', data });
  await trail.close();
}

interface Asked {
  readonly question: MatchQuestion;
  readonly compared: number;
  readonly found: number;
}

async function recordQuestion(
  store: AuditStore,
  { question, compared, found }: Asked,
  clock: Clock,
): Promise<void> {
  const trail = await createAuditTrail({ ...store, clock, log: silentLog });
  try {
    const { tool: tool_name, by, since = null, until = null } = question;
    const of = 'result' in question ? 'result' : 'arguments';
    const data = { by, of, compared, found, since, until };
    trail.event({ timestamp: timestamp(clock.now()), event: 'audit.matched', tool_name, data });
    await trail.flush();
    await trail.close();
  } catch (error) {
    throw new OperationError(`the question cannot be recorded, so it is not answered: ${messageOf(error)}`);
  }
}
