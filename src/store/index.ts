export {
  type Db,
  type DbOptions,
  type Migrations,
  openDb,
  openDbForReading,
  type Row,
  type SqlValue,
  type Statement,
} from './db.ts';
export { makePrivateDirectory } from './directory.ts';
export {
  connectPostgres,
  migratePostgres,
  type PgMigrations,
  type PgQueries,
  type PgValue,
  type Postgres,
  type PostgresOptions,
  postgresPlace,
} from './postgres.ts';
export { type Copy, copyField, readCopyField } from './postgres-copy.ts';
export {
  connectRedis,
  type RedisConnection,
  type RedisOptions,
  type RedisScript,
  redisScript,
} from './redis.ts';
export { isReadyWithin } from './redis-ready.ts';
