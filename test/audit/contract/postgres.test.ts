import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chainNext, chainStart } from '../../../src/audit/chain.ts';
import { createAuditTrail } from '../../../src/audit/index.ts';
import { postgresSink } from '../../../src/audit/sinks/postgres.ts';
import { Secret, silentLog, systemClock } from '../../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../../support/postgres/index.ts';
import { intent, record, until } from '../support.ts';
import { all, sourceOf, storeContract, writerTo } from './contract.ts';
import { auditMessages } from './messages.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

describe('PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  let made = 0;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.close());
  const freshUrl = () => {
    made += 1;
    return new Secret(server.database(`trail${made}`));
  };
  const fresh = async () => ({ dataDir: '/nowhere', postgres: { url: freshUrl() } });
  const entryOf = (writer: string, position: number, before: string) => {
    const { text, record: one } = auditMessages(`${writer}-${position}`);
    return { position, phase: one.phase, record: one, text, hash: chainNext(before, text) };
  };

  storeContract('PostgreSQL', fresh);

  it('starts from an empty database, also when several replicas start at once', async (t) => {
    const store = await fresh();
    const trails = await Promise.all(Array.from({ length: 6 }, () => writerTo(t, store)));
    for (const trail of trails) trail.outcome(record());
    await Promise.all(trails.map((trail) => trail.flush()));
    assert.equal((await all(await sourceOf(t, store))).length, 6);
  });

  it('makes the partitions of this month and the next two', async (t) => {
    const store = await fresh();
    await writerTo(t, store);
    const months = server.sql(
      "SELECT count(*) FROM pg_inherits WHERE inhparent = 'portcullis.records'::regclass",
      `trail${made}`,
    );
    assert.equal(months, '3');
  });

  it('keeps each chain whole: what is stored gives the stored hashes', async (t) => {
    const store = await fresh();
    const trail = await writerTo(t, store);
    for (let index = 0; index < 50; index += 1) trail.outcome(record());
    await trail.flush();
    const source = await sourceOf(t, store);
    const rows = await source.run({
      sql: 'SELECT entry, hash FROM records ORDER BY position',
      parameters: {},
    });
    let hash = chainStart(trail.writer);
    for (const row of rows) {
      hash = chainNext(hash, String(row['entry']));
      assert.equal(Buffer.from(row['hash'] as Uint8Array).toString('hex'), hash);
    }
    assert.equal(rows.length, 51); // and the one that says that the chain begins
  });

  it('refuses an append that does not follow, and one of a connection that was replaced', async () => {
    const url = freshUrl();
    const writer = 'a-writer';
    const [old, young] = [1, 2].map(() => postgresSink({ url, writer, log: silentLog }));
    assert.ok(old && young);
    assert.deepEqual(await old.open(), { position: 0, hash: null, others: [] });
    const first = entryOf(writer, 1, chainStart(writer));
    const second = entryOf(writer, 2, first.hash);
    await assert.rejects(old.append([second]), /does not end where this append begins/);
    await old.append([first]);
    assert.deepEqual(await young.open(), { position: 1, hash: first.hash, others: [] });
    await assert.rejects(old.append([second]), /another connection has it/);
    await young.append([second]);
    assert.deepEqual(await young.open(), { position: 2, hash: second.hash, others: [] });
    await Promise.all([old.close(), young.close()]);
  });

  it('takes no change, no removal and no emptying', async (t) => {
    const trail = await writerTo(t, await fresh());
    trail.outcome(record());
    await trail.flush();
    for (const change of [
      'UPDATE portcullis.records SET entry = $$x$$',
      'DELETE FROM portcullis.records',
      'TRUNCATE portcullis.records',
    ]) {
      assert.throws(() => server.sql(change, `trail${made}`), change);
    }
  });

  it('does not show the password, whatever goes wrong', async () => {
    const url = new Secret(
      server.url.replace(':none@', ':very-secret-word@').replace(/\/postgres$/, '/missing'),
    );
    await assert.rejects(
      createAuditTrail({ dataDir: '/nowhere', postgres: { url }, clock: systemClock, log: silentLog }),
      (error: Error) => {
        const { hint } = error as Error & { hint?: string };
        const told = `${error.message} ${hint} ${error.stack} ${JSON.stringify(error)} ${(error.cause as Error)?.stack}`;
        assert.match(error.message, /127\.0\.0\.1:\d+\/missing/);
        assert.doesNotMatch(told, /very-secret-word/);
        return true;
      },
    );
  });

  it('refuses a database of a newer version', async (t) => {
    const store = await fresh();
    await (await writerTo(t, store)).close();
    server.sql('UPDATE portcullis.migrations SET version = 99', `trail${made}`);
    await assert.rejects(writerTo(t, store), /newer Portcullis/);
  });

  it('is killed under load again and again: what was promised is there, nothing is twice, and it goes on by itself', async (t) => {
    const store = await fresh();
    const trail = await writerTo(t, store);
    const promised: string[] = [];
    let running = true;
    const load = async (name: string) => {
      for (let index = 0; running; index += 1) {
        const one = intent({ request_id: `${name}-${index}` });
        const kept = await trail.intent(one).then(
          () => true,
          () => false,
        );
        if (!kept) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          continue;
        }
        promised.push(one.request_id);
        trail.outcome(record({ ...one, result: 'success', reason: 'ok' }));
      }
    };
    const loads = Promise.all(['a', 'b', 'c', 'd'].map(load));
    for (let round = 0; round < 2; round += 1) {
      const before = promised.length;
      await until(() => promised.length >= before + 40, 30_000);
      await server.kill();
      await until(() => !trail.healthy(), 30_000);
      await server.restart();
      await until(() => trail.healthy(), 60_000);
    }
    running = false;
    await loads;
    await trail.flush();
    const source = await sourceOf(t, store);
    const rows = await source.run({
      sql: 'SELECT phase, request_id, position FROM records ORDER BY position',
      parameters: {},
    });
    assert.deepEqual(
      rows.map(({ position }) => Number(position)),
      rows.map((_, index) => index + 1),
    );
    for (const phase of ['intent', 'outcome']) {
      const ids = rows.filter((row) => row['phase'] === phase).map((row) => String(row['request_id']));
      assert.equal(new Set(ids).size, ids.length, `${phase}s twice`);
      const stored = new Set(ids);
      assert.deepEqual(
        promised.filter((id) => !stored.has(id)),
        [],
        `${phase}s lost`,
      );
    }
    assert.equal((await all(source, { event: 'audit.recovered' })).length, 2);
  });
});
