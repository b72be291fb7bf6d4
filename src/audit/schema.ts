import { join } from 'node:path';
import type { Migrations } from '../store/index.ts';
import { embeddedColumns, textColumns } from './columns.ts';
import { postingKinds } from './postings.ts';
import {
  columnsFromText,
  entriesView,
  generatedColumns,
  never,
  onlyRemovals,
  printedKinds,
  removalsOnRecord,
  timeAndEventIndexes,
} from './schema-texts.ts';

/** The trail's file below the data directory. */
export function auditFile(dataDir: string): string {
  return join(dataDir, 'audit.db');
}

/**
 * `entry` is the canonical text and `hash` the chain up to it: these two are the record. `seq` is the order of commits over
 * all writers; `(writer, position)` is the order of one writer, without gaps. `phase`, `timestamp` and `event` repeat what the
 * entry says, for indexes and triggers; `audit verify` compares them. `postings`, `prints`, `segments` and `indexed` are what postings.ts makes of them.
 * `open_calls` is derived by the writer: the intents that have no outcome (by trigger it would double the cost of an
 * insert). The view `entries` has every field, read from the text.
 * The triggers stop accidents and statements smuggled into this connection; who owns the file can drop them, and
 * `audit verify` finds what they did then.
 */
export const auditMigrations: Migrations = {
  name: 'audit',
  steps: [
    // Schema 1 had no chain and was never released; its tables stand in the way of the next step, which says so.
    'SELECT 1',
    `CREATE TABLE writers (
      id INTEGER PRIMARY KEY,
      writer TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE records (
      seq INTEGER PRIMARY KEY,
      writer INTEGER NOT NULL REFERENCES writers (id),
      position INTEGER NOT NULL,
      entry TEXT NOT NULL,
      hash BLOB NOT NULL,
      ${generatedColumns()},
      UNIQUE (writer, position)
    ) STRICT;
    CREATE INDEX records_request ON records (request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX records_timestamp ON records (timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_client ON records (client_id, timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_subject ON records (subject, timestamp) WHERE phase <> 'intent';
    CREATE INDEX records_tool ON records (tool_name, timestamp) WHERE phase <> 'intent';
    CREATE TABLE open_calls (
      request_id TEXT PRIMARY KEY,
      seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    ${never('UPDATE', 'records')}
    ${never('DELETE', 'records')}
    ${never('UPDATE', 'writers')}
    ${never('DELETE', 'writers')}`,
    // What is common (success, ok) is left out of the last ones: they find the exceptions, and cost nothing otherwise.
    `DROP INDEX records_timestamp;
    CREATE INDEX records_timestamp ON records (timestamp, seq) WHERE phase <> 'intent';
    CREATE INDEX records_token ON records (token_id, timestamp) WHERE phase <> 'intent' AND token_id IS NOT NULL;
    CREATE INDEX records_hash ON records (arguments_hash, timestamp) WHERE phase <> 'intent' AND arguments_hash IS NOT NULL;
    CREATE INDEX records_address ON records (address, timestamp) WHERE phase <> 'intent' AND address IS NOT NULL;
    CREATE INDEX records_organization ON records (organization, timestamp) WHERE phase <> 'intent' AND organization IS NOT NULL;
    CREATE INDEX records_reason ON records (reason, timestamp) WHERE phase <> 'intent' AND reason <> 'ok';
    CREATE INDEX records_result ON records (result, timestamp) WHERE phase <> 'intent' AND result <> 'success';
    CREATE INDEX records_class ON records (result_class, timestamp) WHERE phase <> 'intent' AND result_class <> 'success';
    CREATE INDEX records_event ON records (event, timestamp) WHERE phase <> 'intent' AND event IS NOT NULL;`,
    // Each entry that is there already is copied once, in this transaction. SQLite drops the table's own triggers and indexes with it.
    `DROP TRIGGER records_no_update;
    DROP TRIGGER records_no_delete;
    ALTER TABLE records RENAME TO records_before;
    CREATE TABLE records (
      seq INTEGER PRIMARY KEY,
      writer INTEGER NOT NULL REFERENCES writers (id),
      position INTEGER NOT NULL,
      hash BLOB NOT NULL,
      latency_ms REAL,
      ${textColumns.map((name) => `${name} TEXT`).join(',\n      ')},
      entry TEXT NOT NULL,
      UNIQUE (writer, position)
    ) STRICT;
    INSERT INTO records (seq, writer, position, hash, latency_ms, ${textColumns.join(', ')}, entry)
      SELECT seq, writer, position, hash, ${columnsFromText()}, entry
      FROM (SELECT *, iif(json_valid(entry), entry, '{}') AS json FROM records_before);
    DROP TABLE records_before;
    ${timeAndEventIndexes}
    ${never('UPDATE', 'records')}
    ${never('DELETE', 'records')}
    CREATE TABLE segments (
      segment INTEGER PRIMARY KEY,
      oldest TEXT NOT NULL,
      newest TEXT NOT NULL
    ) STRICT;
    CREATE TABLE postings (
      segment INTEGER NOT NULL,
      kind TEXT NOT NULL,
      term TEXT NOT NULL,
      places TEXT NOT NULL,
      PRIMARY KEY (segment, kind, term)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE indexed (
      kind TEXT PRIMARY KEY,
      segments INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO indexed (kind, segments) VALUES ${['time', ...postingKinds].map((kind) => `('${kind}', 0)`).join(', ')};
    ${entriesView}`,
    // What the trail itself says was removed may go; see retention/.
    `CREATE TABLE removals (
      writer INTEGER NOT NULL REFERENCES writers (id),
      through INTEGER NOT NULL,
      hash BLOB NOT NULL,
      PRIMARY KEY (writer, through)
    ) STRICT, WITHOUT ROWID;
    ${removalsOnRecord}
    ${never('UPDATE', 'removals')}
    ${never('DELETE', 'removals')}
    DROP TRIGGER records_no_delete;
    ${onlyRemovals}`,
    // Every other column is read from the text: what stands there once can neither contradict it nor cost each insert its part.
    `DROP VIEW entries;
    DROP TRIGGER removals_on_record;
    DROP TRIGGER records_no_update;
    DROP TRIGGER records_no_delete;
    ALTER TABLE records RENAME TO records_before;
    CREATE TABLE records (
      seq INTEGER PRIMARY KEY,
      writer INTEGER NOT NULL REFERENCES writers (id),
      position INTEGER NOT NULL,
      hash BLOB NOT NULL,
      ${embeddedColumns.map((name) => `${name} TEXT`).join(',\n      ')},
      entry TEXT NOT NULL,
      UNIQUE (writer, position)
    ) STRICT;
    INSERT INTO records (seq, writer, position, hash, ${embeddedColumns.join(', ')}, entry)
      SELECT seq, writer, position, hash, ${embeddedColumns.join(', ')}, entry FROM records_before;
    DROP TABLE records_before;
    ${timeAndEventIndexes}
    ${never('UPDATE', 'records')}
    ${onlyRemovals}
    ${removalsOnRecord}
    ${entriesView}`,
    // What nearly every entry has a value of its own for is indexed anew, by fingerprints.
    `CREATE TABLE prints (
      kind TEXT NOT NULL,
      segment INTEGER NOT NULL,
      prints BLOB NOT NULL,
      PRIMARY KEY (kind, segment)
    ) STRICT, WITHOUT ROWID;
    DELETE FROM postings WHERE kind IN (${printedKinds});
    UPDATE indexed SET segments = 0 WHERE kind IN (${printedKinds});`,
    // Tokens without a `jti` are found, too.
    "INSERT INTO indexed (kind, segments) VALUES ('token_ref', 0) ON CONFLICT DO NOTHING",
  ],
};
