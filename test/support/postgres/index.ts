export { type Pooler, startPooler } from './pooler.ts';
export { isPostgresInstalled, type PostgresServer, type PostgresStandby, startPostgres } from './server.ts';
