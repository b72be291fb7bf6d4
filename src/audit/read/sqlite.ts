import { embeddedField } from '../columns.ts';
import { openTrail } from '../query.ts';
import { auditFile } from '../schema.ts';
import { conditionsOf, entryOf, phaseOf, storedColumns } from '../sql.ts';
import type { AuditSource, Mark } from './source.ts';
import { pageRows, rowsOfRequest } from './sqlite-page.ts';

const page = 500;
const mark = (seq: unknown): Mark => new Map([['', Number(seq ?? 0)]]);

/**
 * The file in `dataDir`, beside a gateway that writes or without one.
 * @throws OperationError when there is no trail or it cannot be read
 */
export function sqliteSource(dataDir: string): AuditSource {
  const db = openTrail(dataDir);
  const latest = () => db.prepare('SELECT max(seq) AS seq FROM records').get()?.['seq'];
  return {
    place: auditFile(dataDir),
    field: embeddedField,
    run: async ({ sql, parameters }) => db.prepare(sql).all(parameters),
    page: async (query, place) => pageRows(db, query, place),
    ofRequest: async (requestId, count) => rowsOfRequest(db, requestId, count),
    mark: async () => mark(latest()),
    /** One writer at a time holds the file's lock, so what commits later has a higher `seq`. */
    async after(from, filter) {
      const range = { after: from.get('') ?? 0, upTo: Number(latest() ?? 0), count: page };
      const { sql, parameters } = conditionsOf(filter, embeddedField);
      const rows = db
        .prepare(
          `SELECT ${storedColumns} FROM records NOT INDEXED JOIN writers ON writers.id = records.writer
           WHERE seq > :after AND seq <= :upTo AND ${phaseOf(filter)}${sql} ORDER BY seq LIMIT :count`,
        )
        .all({ ...parameters, ...range });
      const entries = rows.map(entryOf);
      // What the filter passed over is not read again.
      return { entries, mark: mark(rows.length < page ? range.upTo : entries.at(-1)?.seq) };
    },
    close: async () => db.close(),
  };
}
