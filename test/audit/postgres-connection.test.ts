import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import { chainNext, chainStart } from '../../src/audit/chain.ts';
import { postgresSink } from '../../src/audit/sinks/postgres.ts';
import { Secret, silentLog } from '../../src/base/index.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { auditMessages } from './contract/messages.ts';
import { until } from './support.ts';

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

/** What the network does to the connections that there are; those that come later are as they should be. */
interface Network {
  readonly url: Secret;
  /** Nothing of the server's arrives any more. */
  deafen(): void;
  /** Nothing goes to the server any more; from the rows of a COPY on, when `fromRows`. What is sent is kept. */
  hold(options: { fromRows: boolean }): void;
  /** Delivers to the server what was kept, although the client has gone. */
  deliver(): void;
  /** Ends the connections of the client. */
  cut(): void;
  /** Connections to the server that are still there. */
  open(): number;
}

const copyInResponse = 'G'.charCodeAt(0);

async function networkTo(t: TestContext, url: string): Promise<Network> {
  const { port, pathname } = new URL(url);
  const lines: {
    client: Socket;
    server: Socket;
    kept: Buffer[];
    state: { deaf: boolean; hold: 'no' | 'all' | 'from rows' };
  }[] = [];
  const listener = createServer((client) => {
    const server = createConnection(Number(port), '127.0.0.1');
    const line = {
      client,
      server,
      kept: [] as Buffer[],
      state: { deaf: false, hold: 'no' as 'no' | 'all' | 'from rows' },
    };
    lines.push(line);
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('data', (data) => void (line.state.hold === 'all' ? line.kept.push(data) : server.write(data)));
    server.on('data', (data) => {
      if (line.state.hold === 'from rows' && data.includes(copyInResponse)) line.state.hold = 'all';
      if (!line.state.deaf) client.write(data);
    });
    client.on('close', () => line.state.hold === 'no' && server.end());
    server.on('close', () => client.destroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    listener.close();
    for (const { client, server } of lines) for (const socket of [client, server]) socket.destroy();
  });
  const address = listener.address();
  const to = typeof address === 'object' ? address?.port : 0;
  const each = (work: (line: (typeof lines)[number]) => void) => () => lines.forEach(work);
  return {
    url: new Secret(`postgres://postgres:none@127.0.0.1:${to}${pathname}`),
    deafen: each(({ state }) => {
      state.deaf = true;
    }),
    hold: ({ fromRows }) =>
      lines.forEach(({ state }) => {
        state.hold = fromRows ? 'from rows' : 'all';
      }),
    deliver: each(({ server, kept }) => {
      for (const data of kept.splice(0)) server.write(data);
    }),
    cut: each(({ client }) => client.destroy()),
    open: () => lines.filter(({ server }) => !server.destroyed).length,
  };
}

describe('a connection to PostgreSQL that breaks in the middle of a commit', { skip }, () => {
  let server: PostgresServer;
  let made = 0;
  before(async () => {
    server = await startPostgres(['fsync=off']);
  });
  after(() => server.close());

  const writer = 'a-writer';
  const entryOf = (position: number, before: string, word: string) => {
    const { text, record: one } = auditMessages(`${word}-${position}`);
    return { position, phase: one.phase, record: one, text, hash: chainNext(before, text) };
  };

  async function setUp(t: TestContext) {
    made += 1;
    const database = `broken${made}`;
    const network = await networkTo(t, server.database(database));
    const sink = postgresSink({ url: network.url, writer, log: silentLog, patienceMs: 500 });
    t.after(() => sink.close());
    await sink.open();
    const first = entryOf(1, chainStart(writer), 'first');
    await sink.append([first]);
    return { network, sink, first, sql: (text: string) => server.sql(text, database) };
  }

  const stored = 'SELECT position, entry FROM portcullis.records ORDER BY position';
  const waiting =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%COPY%' AND state = 'active' AND pid <> pg_backend_pid()";

  it('tells, once it is opened again, what was committed although no answer came', async (t) => {
    const { network, sink, first, sql } = await setUp(t);
    const second = entryOf(2, first.hash, 'second');
    network.deafen();
    // The server is heard until the rows are asked for, so this one ends before it is known to be anything.
    const lost = sink.append([second]);
    await assert.rejects(lost);
    await sink.close();
    const head = await sink.open();
    assert.deepEqual(head, { position: 1, hash: first.hash, others: [] });
    await sink.append([second]);
    assert.equal(sql(stored).split('\n').length, 2);
  });

  it('tells so when the connection is cut after the rows were sent', async (t) => {
    const { network, sink, first, sql } = await setUp(t);
    const second = entryOf(2, first.hash, 'second');
    network.hold({ fromRows: true });
    const lost = sink.append([second]);
    await until(() => sql(waiting) === '1');
    network.deafen();
    network.deliver();
    await until(() => sql('SELECT position FROM portcullis.heads') === '2');
    network.cut();
    await assert.rejects(lost);
    await sink.close();
    assert.deepEqual(await sink.open(), { position: 2, hash: second.hash, others: [] });
  });

  for (const fromRows of [true, false]) {
    it(`takes nothing that arrives late, and waits for nobody: ${fromRows ? 'the rows' : 'all of it'}`, async (t) => {
      const { network, sink, first, sql } = await setUp(t);
      network.hold({ fromRows });
      await assert.rejects(sink.append([entryOf(2, first.hash, 'late')]));
      await sink.close();
      assert.deepEqual(await sink.open(), { position: 1, hash: first.hash, others: [] });
      const second = entryOf(2, first.hash, 'second');
      await sink.append([second]);
      const before = network.open();
      network.deliver();
      await until(() => sql(waiting) === (fromRows ? '0' : '1'));
      const third = entryOf(3, second.hash, 'third');
      await sink.append([third]);
      assert.ok(before >= 2, 'the old connection was there');
      // Where the rows never come, the server waits for them, with nothing in its hands that anybody needs.
      assert.equal(sql(waiting), fromRows ? '0' : '1');
      assert.deepEqual(
        sql(stored).split('\n'),
        [first, second, third].map(({ position, text }) => `${position}|${text}`),
      );
      assert.equal(sql('SELECT position FROM portcullis.heads'), '3');
    });
  }
});
