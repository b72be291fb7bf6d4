export { type Pooler, startPooler } from './pooler.ts';
export { isPostgresInstalled, type PostgresServer, startPostgres } from './server.ts';
