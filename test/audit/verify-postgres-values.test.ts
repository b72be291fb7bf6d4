import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { verifyAudit } from '../../src/audit/index.ts';
import { Secret } from '../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { openTrailFor, record, temporaryDirectory } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

describe('an index of values that lies', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres(['fsync=off', 'full_page_writes=off']);
  });
  after(() => server.close());

  /** A trail over some stretches, all of them in the index. */
  async function place(t: TestContext, name: string) {
    const postgres = { url: new Secret(server.database(name)) };
    const dataDir = temporaryDirectory(t);
    const sql = (text: string) => server.sql(text, name);
    const write = async (subject: (at: number) => string, count: number) => {
      const trail = await openTrailFor(t, dataDir, { postgres });
      for (let at = 0; at < count; at += 1)
        trail.outcome(
          record({ subject: subject(at), arguments_hash: `sha256:${at}-${count}`, detail: 'x'.repeat(400) }),
        );
      await trail.close();
      sql('SELECT portcullis.summarise()');
    };
    const index = () =>
      sql(
        `SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'portcullis.records_values'::regclass ORDER BY 1::text LIMIT 1`,
      );
    const table = () =>
      sql(`SELECT indrelid::regclass FROM pg_index WHERE indexrelid = '${index()}'::regclass`);
    await write((at) => `person-${at % 300}`, 1_500);
    return { store: { dataDir, postgres }, sql, write, index, table };
  }

  async function found(store: Parameters<typeof verifyAudit>[0]): Promise<string[]> {
    const { findings } = await verifyAudit(store);
    return findings.map(({ kind, message }) => `${kind}: ${message}`);
  }

  it('says nothing of one that is as it was made, with all of it compared', async (t) => {
    const { store, sql, index, table } = await place(t, 'honest');
    const verification = await verifyAudit(store);
    assert.deepEqual(verification.findings, []);
    const { compared = 0, of = 0 } = verification.valueIndex ?? {};
    assert.ok(of >= 3 && compared === of, JSON.stringify(verification.valueIndex));
    // What is not added to it yet is read through, and hidden by nobody.
    sql(`SELECT brin_desummarize_range('${index()}', (pg_relation_size('${table()}') / 8192 - 1) / 64 * 64)`);
    assert.deepEqual(await found(store), []);
  });

  it('found: entries that were added while it was switched off', async (t) => {
    const { store, sql, write, index } = await place(t, 'switched');
    const ready = (on: boolean) =>
      sql(`UPDATE pg_index SET indisready = ${on} WHERE indexrelid = '${index()}'::regclass`);
    ready(false);
    await write(() => 'mallory', 5);
    ready(true);
    const all = await found(store);
    assert.match(
      all.join('\n'),
      /^index: queries by value may pass over entries on pages \d+ to \d+ of records_\d+/m,
    );
  });

  it('found: two stretches whose filters changed places, in the bytes of the file', async (t) => {
    const { store, sql, index } = await place(t, 'swapped');
    const file = join(sql('SHOW data_directory'), sql(`SELECT pg_relation_filepath('${index()}'::regclass)`));
    sql('CHECKPOINT');
    await server.kill();
    const handle = openSync(file, 'r+');
    const at = (position: number, length: number) => {
      const bytes = Buffer.alloc(length);
      readSync(handle, bytes, { position });
      return bytes;
    };
    // The map of stretches is the second page: a header of 24 bytes, then a pointer (page, item) of 6 bytes for each.
    const map = 8_192 + 24;
    const [first, second] = [at(map, 6), at(map + 6, 6)];
    /** A filter begins with the number of its first page. */
    const filterOf = (pointer: Buffer) => {
      const page = (pointer.readUInt16LE(0) * 65_536 + pointer.readUInt16LE(2)) * 8_192;
      return page + (at(page + 24 + (pointer.readUInt16LE(4) - 1) * 4, 4).readUInt32LE() & 0x7fff);
    };
    const numbers = [Buffer.from([64, 0, 0, 0]), Buffer.from([0, 0, 0, 0])];
    for (const [one, pointer] of [first, second].entries())
      writeSync(handle, numbers[one] ?? assert.fail(), 0, 4, filterOf(pointer));
    writeSync(handle, Buffer.concat([second, first]), 0, 12, map);
    closeSync(handle);
    await server.restart();
    assert.match(
      (await found(store)).join('\n'),
      /^index: queries by value may pass over entries on pages 0 to 63/m,
    );
  });
});
