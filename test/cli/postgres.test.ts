import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Secret } from '../../src/base/index.ts';
import { readAuditorKey } from '../../src/config/auditor-key.ts';
import { openTrailFor, record } from '../audit/support.ts';
import { freePort } from '../gateway/support.ts';
import { isPostgresInstalled, type PostgresServer, startPostgres } from '../support/postgres/index.ts';
import { gateway, home, run } from './support/run.ts';

// Commands about a gateway that keeps its trail in PostgreSQL.

const skip = isPostgresInstalled
  ? false
  : 'SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)';

describe('commands, where PostgreSQL has the audit log', { skip }, () => {
  let server: PostgresServer;
  let made = 0;
  before(async () => {
    server = await startPostgres(['fsync=off']);
  });
  after(() => server.close());

  async function place(t: TestContext) {
    const port = await freePort();
    made += 1;
    const name = `commands${made}`;
    const url = server.database(name);
    const cwd = home(t);
    writeFileSync(
      join(cwd, 'portcullis.yaml'),
      `publicUrl: http://127.0.0.1:${port}
listen: { port: ${port} }
data: ./data
postgres: { url: { env: DATABASE_URL } }
servers: { notes: { upstream: { url: http://127.0.0.1:9 } } }
`,
    );
    const where = { cwd, env: { DATABASE_URL: url } };
    const events = () =>
      server.sql("SELECT event FROM portcullis.records WHERE event !~ '^audit[.]' ORDER BY seq", name);
    return {
      ...{ cwd, url, where },
      data: join(cwd, 'data'),
      events: () =>
        events()
          .split('\n')
          .filter((line) => line !== ''),
      command: (...words: string[]) => run([...words, '--config', 'portcullis.yaml'], where),
      add: (user: string) =>
        run(
          ['users', 'add', user, '--password-stdin', '--config', 'portcullis.yaml'],
          where,
          'correct horse battery staple\n',
        ),
    };
  }

  it('what they do is on record there, and not in the data directory', async (t) => {
    const { command, add, events, data } = await place(t);
    for (const { code, stderr } of [
      await add('alice'),
      await command('revoke', 'jti', 'some-token'),
      await command('stop', 'tool', 'delete_*'),
      await command('resume', 'tool', 'delete_*'),
      await command('users', 'remove', 'alice'),
    ]) {
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /PostgreSQL|not on record/);
    }
    assert.deepEqual(events(), [
      'user.added',
      'token.revoked',
      'kill_switch.stopped',
      'kill_switch.resumed',
      'user.removed',
    ]);
    assert.ok(!existsSync(join(data, 'audit.db')));
    const shown = await command('audit', 'query', '--event', 'user.added', '--json');
    assert.match(shown.stdout, /"event":"user.added"/);
  });

  it('while it is down, what gives is not done, and what takes away is, and is kept in the data directory', async (t) => {
    const { command, add, events, cwd, where } = await place(t);
    assert.equal((await add('alice')).code, 0);
    assert.equal((await command('stop', 'tool', 'old_*')).code, 0);
    await server.kill();
    try {
      const added = await add('bob');
      assert.equal(added.code, 1);
      assert.match(added.stderr, /cannot open the audit trail 127\.0\.0\.1/);
      const users = await command('users', 'list', '--json');
      assert.deepEqual(
        JSON.parse(users.stdout).users.map(({ name }: { name: string }) => name),
        ['alice'],
      );

      const resumed = await command('resume', 'tool', 'old_*');
      assert.equal(resumed.code, 1);
      const stopped = await command('stop', 'tool', 'delete_*', '--json');
      assert.equal(stopped.code, 0, stopped.stderr);
      assert.match(
        JSON.parse(stopped.stdout).warnings[0],
        /the audit log in PostgreSQL does not have this: .*instead/,
      );
      const list = JSON.parse((await command('stop', 'list', '--json')).stdout);
      assert.deepEqual(
        list.stops.map(({ name }: { name: string }) => name),
        ['old_*', 'delete_*'],
      );

      const revoked = await command('revoke', 'jti', 'leaked');
      assert.equal(revoked.code, 0);
      assert.match(revoked.stderr, /warning: the audit log in PostgreSQL does not have this/);
      assert.equal((await command('users', 'remove', 'alice')).code, 0);

      const kept = await run(['audit', 'query', '--events', '--json', '--data', 'data'], {
        cwd,
        env: where.env,
      });
      const names = kept.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).event);
      assert.deepEqual(
        names.filter((name) => !name.startsWith('audit.')),
        ['user.removed', 'token.revoked', 'kill_switch.stopped'],
      );
    } finally {
      await server.restart();
    }
    assert.deepEqual(events(), ['user.added', 'kill_switch.stopped']);
  });

  it('that are told of the data directory alone know, and say, where the log is', async (t) => {
    const { cwd, where, data, events, url } = await place(t);
    const running = await gateway(t, ['serve', '--config', 'portcullis.yaml', '--json'], where);
    await running.stop();
    const add = ['users', 'add', 'alice', '--password-stdin', '--data', 'data'];
    const added = await run(add, { cwd }, 'correct horse battery staple\n');
    assert.equal(added.code, 1);
    assert.match(
      added.stderr,
      /the audit log of this gateway is in PostgreSQL: 127\.0\.0\.1:\d+\/commands\d+/,
    );
    assert.match(added.stderr, /--config FILE/);
    const stopped = await run(['stop', 'server', 'notes', '--data', 'data'], { cwd });
    assert.equal(stopped.code, 0);
    assert.match(stopped.stderr, /is in PostgreSQL: .*; it is in .*data instead/);
    assert.ok(existsSync(join(data, 'audit.db')));
    assert.ok(!events().includes('kill_switch.stopped'));
    assert.ok(!(added.stderr + stopped.stderr).includes(new URL(url).password));
  });

  it('audit open shows the auditor what was encrypted, and leaves a record there; where it cannot, it shows nothing', async (t) => {
    const { command, cwd, url, events, data } = await place(t);
    const auditor = generateKeyPairSync('x25519');
    const pem = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(cwd, 'auditor.pem'), pem(auditor.privateKey));
    const key = readAuditorKey(String(auditor.publicKey.export({ type: 'spki', format: 'pem' })));
    if ('message' in key) throw new Error(key.message);
    const trail = await openTrailFor(t, data, { auditorKey: key, postgres: { url: new Secret(url) } });
    const captured = await trail.capture({
      requestId: 'r-1',
      server: 'notes',
      organization: 'acme',
      tool: 'create_note',
      arguments: { iban: 'DE89CANARY' },
      capture: { as: 'encrypted', fields: [] },
    });
    trail.outcome({ ...record({ request_id: 'r-1' }), ...captured });
    await trail.close();
    const shown = await command('audit', 'open', 'r-1', '--key', 'auditor.pem');
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /"iban":"DE89CANARY"/);
    const opened = await command('audit', 'query', '--event', 'audit.opened', '--json');
    assert.equal(JSON.parse(opened.stdout).request_id, 'r-1');
    assert.ok(!existsSync(join(data, 'audit.db')));
    assert.deepEqual(events(), []);
    server.sql('REVOKE ALL ON SCHEMA portcullis FROM PUBLIC', `commands${made}`);
    server.sql(
      "ALTER TABLE portcullis.writers ADD CONSTRAINT nobody CHECK (writer = '') NOT VALID",
      `commands${made}`,
    );
    const refused = await command('audit', 'open', 'r-1', '--key', 'auditor.pem');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /that you look cannot be recorded, so nothing is shown/);
    assert.ok(!refused.stdout.includes('CANARY'));
  });
});
