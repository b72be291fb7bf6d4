import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Says where the trail is, when it is not in the data directory: for commands that are told of the directory alone. */
const fileIn = (dataDir: string) => join(dataDir, 'audit-in-postgres');

/** @param place host and database, without user or password; null where the data directory itself has the trail */
export function notePostgres(dataDir: string, place: string | null): void {
  if (place === null) rmSync(fileIn(dataDir), { force: true });
  else writeFileSync(fileIn(dataDir), `${place}\n`, { mode: 0o600 });
}

/** The host and the database that have the trail, as the last gateway on this data directory said; null for none. */
export function notedPostgres(dataDir: string): string | null {
  const file = fileIn(dataDir);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}
