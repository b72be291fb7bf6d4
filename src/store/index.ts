export { type Db, type Migrations, openDb, type Row, type SqlValue, type Statement } from './db.ts';
