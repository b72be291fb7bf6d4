import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isPostgresInstalled, startPostgres } from '../../support/postgres/index.ts';
import { isRedisInstalled, startRedis } from '../../support/redis/index.ts';
import { startWorld, until, type World } from './world.ts';

// The stores that are servers: they have passwords of their own, and errors that quote what they were told.

it('nothing of a secret is in PostgreSQL, nor in what is said when it fails', {
  skip: !isPostgresInstalled && 'no PostgreSQL on this machine',
  timeout: 120_000,
}, async (t) => {
  const postgres = await startPostgres(['fsync=off']);
  t.after(() => postgres.close());
  const url = new URL(postgres.url);
  const world = await startWorld(t, {
    environment: (canaries) => {
      url.password = canaries.make('password of PostgreSQL');
      return { DB: url.href };
    },
    rest: 'postgres: { url: { env: DB } }',
  });
  await askThrice(world);
  const rows = dump((text) => postgres.sql(text, url.pathname.slice(1)));
  assert.match(rows, /tools\/call/, 'the trail is in PostgreSQL');
  assert.deepEqual(world.canaries.foundIn(rows), []);
  await postgres.kill();
  await until(async () => {
    await askThrice(world);
    assert.ok(
      world.reasons().includes('audit_unavailable') || /postgres|trail/i.test(world.running.stderr()),
    );
  }, 20_000);
  await world.scrape();
  await world.running.stop();
  assertClean(world);
});

it('nor of the password of Redis, right or wrong', {
  skip: !isRedisInstalled && 'no redis-server on this machine',
  timeout: 120_000,
}, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.close());
  await redis.command('CONFIG', 'SET', 'requirepass', 'another');
  const world = await startWorld(t, {
    environment: (canaries) => ({
      REDIS: `redis://default:${canaries.make('password of Redis')}@127.0.0.1:${redis.port}/0`,
    }),
    rest: 'redis: { url: { env: REDIS }, commandTimeout: 500ms }',
  });
  await askThrice(world);
  await until(() => assert.match(world.running.stderr(), /redis/), 10_000);
  await world.running.stop();
  assertClean(world);
});

/** Allowed, unknown, and refused. */
async function askThrice(world: World): Promise<void> {
  for (const tool of ['good', 'no_such_tool', 'writes', 'tool_error'])
    await world.send({ tool, token: await world.token() });
  await world.send({ token: world.canaries.make('a token') });
}

function dump(sql: (text: string) => string): string {
  const tables = sql(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  );
  const names = tables.split('\n').filter((name) => name !== '');
  assert.ok(names.length > 1, tables);
  return names.map((name) => sql(`SELECT t::text FROM ${name} AS t`)).join('\n');
}

function assertClean(world: World): void {
  const leaks = [...world.places()].flatMap(([place, text]) =>
    world.canaries
      .foundIn(place === 'an answer' ? text.replace(/^.*failed for \{.*$/gm, '') : text)
      .map((leak) => `${leak} is in ${place}`),
  );
  assert.deepEqual([...new Set(leaks)], []);
}
