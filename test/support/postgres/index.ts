export { isPostgresInstalled, type PostgresServer, startPostgres } from './server.ts';
