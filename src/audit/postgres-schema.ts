import type { PgMigrations } from '../store/index.ts';
import { type TextColumn, textColumns } from './columns.ts';

// The trail in PostgreSQL: the tables and columns of the SQLite file under the same names, in the schema `portcullis`.

/** What the guards of the tables do, by function. `audit verify` compares them with what it finds. */
const bodies = {
  refuse_change: "BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END",
  refuse_delete: `BEGIN
      IF EXISTS (SELECT FROM portcullis.removals WHERE writer = OLD.writer AND through >= OLD.position) THEN
        RETURN OLD;
      END IF;
      RAISE EXCEPTION 'the audit trail is append-only';
    END`,
  on_record: `BEGIN
      IF EXISTS (SELECT FROM portcullis.records WHERE phase <> 'intent' AND event = 'audit.removed'
          AND entry::jsonb #>> '{data,through}' = NEW.through::text
          AND entry::jsonb #>> '{data,writer}' = (SELECT writer FROM portcullis.writers WHERE id = NEW.writer)) THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION 'a removal must be on record first';
    END`,
  // Only the owner may make partitions and bring an index up to date; whoever may append runs these two in the owner's name.
  summarise: `BEGIN
      IF pg_try_advisory_xact_lock(7046029255) THEN
        PERFORM brin_summarize_new_values(part.indexrelid) FROM pg_inherits AS child JOIN pg_index AS part ON part.indexrelid = child.inhrelid
        WHERE child.inhparent = 'portcullis.records_values'::regclass AND part.indrelid IN (
          to_regclass('portcullis.records_' || to_char(now(), 'YYYYMM')),
          to_regclass('portcullis.records_' || to_char(now() - interval '1 day', 'YYYYMM')));
      END IF;
    END`,
  // The names and bounds are the server's own digits.
  prepare: `DECLARE month timestamp;
    BEGIN
      PERFORM pg_advisory_xact_lock(7046029256);
      FOR month IN SELECT * FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
          date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', interval '1 month') LOOP
        IF to_regclass('portcullis.records_' || to_char(month, 'YYYYMM')) IS NULL THEN
          EXECUTE format('CREATE TABLE portcullis.%I PARTITION OF portcullis.records FOR VALUES FROM (%L) TO (%L)',
            'records_' || to_char(month, 'YYYYMM'), to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
            to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
        END IF;
      END LOOP;
    END`,
  // What may go as far as the owner is concerned: of whoever is the owner all that is on record as removed.
  may_go_before: `
      SELECT CASE WHEN pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = 'portcullis.records'::regclass), 'USAGE')
        THEN 'infinity' ELSE now() - (SELECT least FROM portcullis.retention) END`,
  release: `DECLARE
      before timestamptz := portcullis.may_go_before();
      one record;
    BEGIN
      IF before IS NULL THEN
        RAISE EXCEPTION 'the owner of the audit log has not said how long entries stay at least (portcullis.retention)';
      END IF;
      SELECT records.writer, max(at) AS at, bool_and(records.hash = its_hash) AS same INTO one
        FROM portcullis.records JOIN portcullis.writers ON writers.id = records.writer
        WHERE writers.writer = of_writer AND position = up_to GROUP BY records.writer;
      IF NOT coalesce(one.at < before AND one.same, false) THEN
        RAISE EXCEPTION 'the owner of the audit log lets nothing go that is younger than %, or not there', coalesce((SELECT least FROM portcullis.retention)::text, 'it');
      END IF;
      INSERT INTO portcullis.removals (writer, through, hash) VALUES (one.writer, up_to, its_hash) ON CONFLICT DO NOTHING;
    END`,
  // Each row's own time is looked at: whoever may append can give any position to what is new.
  remove_some: `DECLARE
      before timestamptz := portcullis.may_go_before();
      one record;
      count bigint;
    BEGIN
      SELECT writer, through, first INTO one FROM (
        SELECT writer, through, (SELECT min(position) FROM portcullis.records
          WHERE records.writer = released.writer AND position <= released.through AND at < before) AS first
        FROM (SELECT writer, max(through) AS through FROM portcullis.removals GROUP BY writer) AS released) AS all_of_them
        WHERE first IS NOT NULL LIMIT 1;
      IF NOT FOUND THEN
        RETURN 0;
      END IF;
      DELETE FROM portcullis.open_calls WHERE request_id IN (SELECT request_id FROM portcullis.records WHERE writer = one.writer
        AND position BETWEEN one.first AND least(one.through, one.first + 999) AND at < before AND phase = 'intent');
      DELETE FROM portcullis.records WHERE writer = one.writer
        AND position BETWEEN one.first AND least(one.through, one.first + 999) AND at < before;
      GET DIAGNOSTICS count = ROW_COUNT;
      RETURN count;
    END`,
  // Months that are over, of which nothing is left. One that is in use is for another time: nobody waits behind a lock that is waited for.
  drop_empty: `DECLARE
      name text;
      is_empty boolean;
    BEGIN
      FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'portcullis.records'::regclass AND c.relname ~ '^records_[0-9]{6}$'
            AND c.relname < 'records_' || to_char(now() - interval '1 day', 'YYYYMM') ORDER BY 1 LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM portcullis.%I)', name) INTO is_empty;
        CONTINUE WHEN NOT is_empty;
        BEGIN
          EXECUTE format('LOCK TABLE portcullis.%I IN ACCESS EXCLUSIVE MODE', name);
          EXECUTE format('SELECT NOT EXISTS (SELECT FROM portcullis.%I)', name) INTO is_empty;
          IF is_empty THEN
            EXECUTE format('DROP TABLE portcullis.%I', name);
          END IF;
        EXCEPTION WHEN lock_not_available THEN
          NULL;
        END;
      END LOOP;
    END`,
} as const;

/** Triggers as the catalogue has them: `type` adds up 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate. */
export const pgGuards: readonly {
  readonly table: string;
  readonly name: string;
  readonly type: number;
  readonly body: string;
}[] = [
  { table: 'records', name: 'records_no_change', type: 19, body: bodies.refuse_change },
  { table: 'records', name: 'records_no_delete', type: 11, body: bodies.refuse_delete },
  { table: 'records', name: 'records_no_truncate', type: 34, body: bodies.refuse_change },
  { table: 'writers', name: 'writers_no_change', type: 27, body: bodies.refuse_change },
  { table: 'removals', name: 'removals_on_record', type: 7, body: bodies.on_record },
  { table: 'removals', name: 'removals_no_change', type: 27, body: bodies.refuse_change },
];

/** Those of the functions that run in the owner's name, by name. */
export const pgOwnersFunctions: ReadonlyMap<string, string> = new Map(
  (['summarise', 'prepare', 'may_go_before', 'release', 'remove_some', 'drop_empty'] as const).map((name) => [
    name,
    bodies[name],
  ]),
);

/** Of `records`, and each partition has its own of each. */
export const pgIndexes = [
  'records_writer_position_at_key',
  'records_request',
  'records_timestamp',
  'records_event',
  'records_values',
] as const;

const dropped = [
  ...['client_id', 'subject', 'tool_name', 'token_id', 'address', 'organization', 'arguments_hash'],
  ...['reason', 'result', 'class'],
];

const definer = 'SECURITY DEFINER SET search_path = pg_catalog, pg_temp';
const trigger = (name: string) => `CREATE FUNCTION portcullis.${name}() RETURNS trigger LANGUAGE plpgsql AS`;

/** Columns that queries look for a value in, and how many different ones 64 pages, some 400 entries, are expected to have. */
const valuesAtOnce = {
  client_id: 64,
  subject: 300,
  tool_name: 64,
  arguments_hash: 400,
  result: 16,
  result_class: 16,
  reason: 16,
  organization: 32,
  token_id: 300,
  token_ref: 300,
  address: 300,
  server: 16,
} as const satisfies Partial<Record<TextColumn, number>>;

/** What the index of values knows of each stretch of pages. */
export const pgValueColumns: readonly string[] = Object.keys(valuesAtOnce);
/** A stretch of pages, beginning with the first. */
export const pgValuePages = 64;

const bloomed = Object.entries(valuesAtOnce).map(
  ([column, count]) => `${column} text_bloom_ops (n_distinct_per_range = ${count})`,
);

/**
 * `heads` has where each chain ends: an append takes its row first, so two never mix, and one of an earlier connection
 * that comes late finds that `epoch` has changed, and fails. `at` is the server's time of the append, never earlier
 * than the one before in the same chain: a month's partition holds one stretch of each chain.
 * The triggers stop accidents; whoever owns the tables can drop them, and `audit verify` finds what was done then.
 */
export const pgAuditMigrations: PgMigrations = {
  name: 'audit',
  steps: [
    `CREATE TABLE portcullis.writers (
      id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      writer text COLLATE "C" NOT NULL UNIQUE
    );
    CREATE TABLE portcullis.heads (
      writer integer PRIMARY KEY REFERENCES portcullis.writers (id),
      position bigint NOT NULL,
      hash bytea,
      epoch integer NOT NULL,
      at timestamptz NOT NULL
    );
    CREATE SEQUENCE portcullis.records_seq;
    CREATE TABLE portcullis.records (
      seq bigint NOT NULL DEFAULT nextval('portcullis.records_seq'),
      at timestamptz NOT NULL,
      writer integer NOT NULL,
      position bigint NOT NULL,
      entry text NOT NULL,
      hash bytea NOT NULL,
      latency_ms double precision,
      ${textColumns.map((column) => `${column} text COLLATE "C"`).join(',\n      ')},
      UNIQUE (writer, position, at)
    ) PARTITION BY RANGE (at);
    CREATE INDEX records_request ON portcullis.records (request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX records_timestamp ON portcullis.records (timestamp, seq) WHERE phase <> 'intent';
    ${['client_id', 'subject', 'tool_name', 'token_id', 'address', 'organization', 'arguments_hash']
      .map(
        (column) =>
          `CREATE INDEX records_${column} ON portcullis.records (${column}, timestamp) WHERE phase <> 'intent' AND ${column} IS NOT NULL;`,
      )
      .join('\n    ')}
    CREATE INDEX records_reason ON portcullis.records (reason, timestamp) WHERE phase <> 'intent' AND reason <> 'ok';
    CREATE INDEX records_result ON portcullis.records (result, timestamp) WHERE phase <> 'intent' AND result <> 'success';
    CREATE INDEX records_class ON portcullis.records (result_class, timestamp) WHERE phase <> 'intent' AND result_class <> 'success';
    CREATE INDEX records_event ON portcullis.records (event, timestamp) WHERE phase <> 'intent' AND event IS NOT NULL;
    CREATE TABLE portcullis.open_calls (
      request_id text COLLATE "C" PRIMARY KEY
    );
    ${trigger('refuse_change')} $$ ${bodies.refuse_change} $$;
    CREATE TRIGGER records_no_change BEFORE UPDATE OR DELETE ON portcullis.records
      FOR EACH ROW EXECUTE FUNCTION portcullis.refuse_change();
    CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON portcullis.records
      FOR EACH STATEMENT EXECUTE FUNCTION portcullis.refuse_change();
    CREATE TRIGGER writers_no_change BEFORE UPDATE OR DELETE ON portcullis.writers
      FOR EACH ROW EXECUTE FUNCTION portcullis.refuse_change();`,
    // What the trail itself says was removed may go; see retention/.
    `CREATE TABLE portcullis.removals (
      writer integer NOT NULL REFERENCES portcullis.writers (id),
      through bigint NOT NULL,
      hash bytea NOT NULL,
      PRIMARY KEY (writer, through)
    );
    ${trigger('on_record')} $$ ${bodies.on_record} $$;
    CREATE TRIGGER removals_on_record BEFORE INSERT ON portcullis.removals
      FOR EACH ROW EXECUTE FUNCTION portcullis.on_record();
    CREATE TRIGGER removals_no_change BEFORE UPDATE OR DELETE ON portcullis.removals
      FOR EACH ROW EXECUTE FUNCTION portcullis.refuse_change();
    ${trigger('refuse_delete')} $$ ${bodies.refuse_delete} $$;
    DROP TRIGGER records_no_change ON portcullis.records;
    CREATE TRIGGER records_no_change BEFORE UPDATE ON portcullis.records
      FOR EACH ROW EXECUTE FUNCTION portcullis.refuse_change();
    CREATE TRIGGER records_no_delete BEFORE DELETE ON portcullis.records
      FOR EACH ROW EXECUTE FUNCTION portcullis.refuse_delete();`,
    // Each value had an index of its own, and they cost more than all the rest of an insert. `records_values` costs it nothing: it
    // has, for each 64 pages, the span of time and a Bloom filter of the values that stand there, and `summarise` adds the pages
    // that are new. Those that it has not added yet are read through. read/postgres-page.ts has what asks it.
    `ALTER TABLE portcullis.records ALTER COLUMN at SET DEFAULT current_setting('portcullis.at')::timestamptz;
    DROP INDEX ${dropped.map((name) => `portcullis.records_${name}`).join(', ')};
    CREATE INDEX records_values ON portcullis.records
      USING brin (left(timestamp, 16) text_minmax_ops, ${bloomed.join(', ')}) WITH (pages_per_range = ${pgValuePages});
    CREATE FUNCTION portcullis.summarise() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
      SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$ ${bodies.summarise} $$;
    CREATE FUNCTION portcullis.prepare() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
      AS $$ ${bodies.prepare} $$;
    REVOKE ALL ON FUNCTION portcullis.summarise(), portcullis.prepare() FROM PUBLIC;`,
    // Whether the writer has ever held the lock by which others see that it lives: sinks/postgres-presence.ts.
    'ALTER TABLE portcullis.heads ADD COLUMN watched boolean NOT NULL DEFAULT false;',
    // Removal by whoever may append, as far as the owner lets it: `least` is what stays whatever a gateway is told to keep.
    `CREATE TABLE portcullis.retention (
      single boolean PRIMARY KEY DEFAULT true CHECK (single),
      least interval NOT NULL CHECK (least >= interval '1 day')
    );
    CREATE FUNCTION portcullis.may_go_before() RETURNS timestamptz LANGUAGE sql STABLE ${definer} AS $$ ${bodies.may_go_before} $$;
    CREATE FUNCTION portcullis.release(of_writer text, up_to bigint, its_hash bytea) RETURNS void LANGUAGE plpgsql ${definer}
      AS $$ ${bodies.release} $$;
    CREATE FUNCTION portcullis.remove_some() RETURNS bigint LANGUAGE plpgsql ${definer} AS $$ ${bodies.remove_some} $$;
    CREATE FUNCTION portcullis.drop_empty() RETURNS void LANGUAGE plpgsql ${definer} SET timezone = 'UTC' SET lock_timeout = '200ms'
      AS $$ ${bodies.drop_empty} $$;
    REVOKE ALL ON FUNCTION portcullis.may_go_before(), portcullis.release(text, bigint, bytea), portcullis.remove_some(),
      portcullis.drop_empty() FROM PUBLIC;`,
  ],
};
