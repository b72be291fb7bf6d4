import { textColumns } from './columns.ts';
import { callFields, eventFields } from './fields.ts';
import { isPrinted, postingKinds } from './postings.ts';

// Statements of the migrations in schema.ts. Stores that exist have them as they are: only the list of fields follows the code.

const integers = [
  'arguments_bytes',
  'http_status',
  'is_error',
  'jsonrpc_error_code',
  'limit_max',
  'limit_remaining',
  'loop_count',
  'redactions',
  'result_bytes',
  'schema_version',
];
const reals = ['approval_ms', 'latency_gateway_ms', 'latency_ms', 'latency_upstream_ms', 'retry_after_ms'];

const fieldNames = [...new Set([...Object.keys(callFields), ...Object.keys(eventFields)])].sort();

/** Schema 3 and before: columns that are read from `entry` whenever they are asked for. Each insert pays for all of them. */
export function generatedColumns(): string {
  return fieldNames
    .map((name) => {
      const type = integers.includes(name) ? 'INTEGER' : reals.includes(name) ? 'REAL' : 'TEXT';
      return `${name} ${type} GENERATED ALWAYS AS (entry ->> '${name}') VIRTUAL`;
    })
    .join(',\n      ');
}

/** The columns, from an entry whose text may be anything. */
export function columnsFromText(): string {
  return ['latency_ms', ...textColumns].map((name) => `nullif(json ->> '${name}', '')`).join(', ');
}

/** Of the index of fingerprints, as an SQL list. */
export const printedKinds = postingKinds
  .filter(isPrinted)
  .map((kind) => `'${kind}'`)
  .join(', ');

/** Stops accidents. Who owns the file can drop it; `audit verify` finds what they did then. */
export function never(verb: 'UPDATE' | 'DELETE', table: 'records' | 'writers' | 'removals'): string {
  return `CREATE TRIGGER ${table}_no_${verb.toLowerCase()} BEFORE ${verb} ON ${table}
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;`;
}

/** What the trail itself says was removed may go; see retention/. */
export const onlyRemovals = `CREATE TRIGGER records_no_delete BEFORE DELETE ON records
      WHEN NOT EXISTS (SELECT 1 FROM removals WHERE writer = OLD.writer AND through >= OLD.position)
      BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;`;

export const removalsOnRecord = `CREATE TRIGGER removals_on_record BEFORE INSERT ON removals
      WHEN NOT EXISTS (SELECT 1 FROM records WHERE phase <> 'intent' AND event = 'audit.removed'
        AND entry ->> '$.data.through' = NEW.through
        AND entry ->> '$.data.writer' = (SELECT writer FROM writers WHERE id = NEW.writer))
      BEGIN SELECT RAISE(ABORT, 'a removal must be on record first'); END;`;

export const timeAndEventIndexes = `CREATE INDEX records_timestamp ON records (timestamp, seq) WHERE phase <> 'intent';
    CREATE INDEX records_event ON records (event, timestamp, seq) WHERE phase <> 'intent' AND event IS NOT NULL;`;

/** Every field, read from the text: for people. */
export const entriesView = `CREATE VIEW entries AS SELECT seq, writer, position, hash, entry,
      ${fieldNames.map((name) => `entry ->> '${name}' AS ${name}`).join(',\n      ')}
      FROM records;`;
