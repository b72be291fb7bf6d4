import type { Row, SqlValue } from '../store/index.ts';
import type { AuditFilter, StoredEntry } from './query.ts';
import type { Named } from './read/source.ts';
import { readEntry } from './record.ts';
import { isResultClass } from './results.ts';

// SQL that the embedded store and PostgreSQL share.

/** What `entryOf` reads. */
export const storedColumns =
  'records.seq, records.position, records.entry, records.hash, writers.writer AS writer_name';

/** The entry in a row with `storedColumns`. */
export function entryOf(row: Row): StoredEntry {
  const entry = readEntry(String(row['entry']));
  const stored = {
    seq: Number(row['seq']),
    writer: String(row['writer_name']),
    position: Number(row['position']),
    hash: Buffer.from(row['hash'] as Uint8Array).toString('hex'),
  };
  if (entry.phase !== 'intent') return { ...entry, ...stored };
  return { ...entry, result: 'unknown', ...stored };
}

type Condition = readonly [sql: string, value: SqlValue | undefined];

/**
 * Conditions on the fields that a filter names; `field` gives the SQL for one. `reason <> 'ok'` and its like are said twice over, in the words of a
 * partial index: only then do the planners use it.
 */
export function conditionsOf(filter: AuditFilter, field = (name: string) => name): Named {
  const { result, reason } = filter;
  const conditions: readonly Condition[] = [
    ['timestamp >= :since', filter.since],
    ['timestamp < :until', filter.until],
    [`${field('client_id')} = :client`, filter.client],
    [`${field('subject')} = :subject`, filter.subject],
    [`${field('tool_name')} = :tool`, filter.tool],
    [`${field('request_id')} = :requestId`, filter.requestId],
    [`${field('token_id')} = :tokenId`, filter.tokenId],
    [`${field('token_ref')} = :tokenRef`, filter.tokenRef],
    [`${field('arguments_hash')} = :argumentsHash`, filter.argumentsHash],
    [`${field('organization')} = :organization`, filter.organization],
    [`${field('address')} = :address`, filter.address],
    [`${field('server')} = :server`, filter.server],
    ['event IS NOT NULL AND event = :event', filter.event],
    [exceptional(field('reason'), { is: ':reason', common: reason === 'ok', word: 'ok' }), reason],
    [
      exceptional(field(isResultClass(result ?? '') ? 'result_class' : 'result'), {
        is: ':result',
        common: result === 'success',
        word: 'success',
      }),
      result === 'unknown' ? undefined : result,
    ],
  ];
  let sql = '';
  const parameters: Record<string, SqlValue> = {};
  for (const [condition, value] of conditions) {
    if (value === undefined) continue;
    sql += ` AND ${condition}`;
    parameters[condition.slice(condition.lastIndexOf(':') + 1)] = value;
  }
  return { sql, parameters };
}

interface Wanted {
  readonly is: string;
  /** Whether the common word itself is wanted. */
  readonly common: boolean;
  readonly word: string;
}

function exceptional(field: string, { is, common, word }: Wanted): string {
  return common ? `${field} = ${is}` : `${field} <> '${word}' AND ${field} = ${is}`;
}

/** Events but those by which a chain tells of itself: they say nothing about what happened. */
export const ofOthers = "coalesce(event, '') NOT IN ('audit.checkpoint', 'audit.chain_started')";

/** Outcomes, and events where they are asked for. `phase <> 'intent'` in these words lets the planners use the partial indexes. */
export function phaseOf({ event, events }: AuditFilter): string {
  if (!events && event === undefined) return "phase <> 'intent' AND phase = 'outcome'";
  return event === undefined ? `phase <> 'intent' AND ${ofOthers}` : "phase <> 'intent'";
}
