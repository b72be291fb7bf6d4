import type { Log, Secret } from '../../base/index.ts';
import { connectPostgres, type Postgres } from '../../store/index.ts';

/** One connection, for a transaction that lasts. */
export function connectToVerify(url: Secret, log: Log): Promise<Postgres> {
  const held = { connections: 1, statementMs: 3_600_000, isHeld: true };
  return connectPostgres({ url, log, ...held, readOnly: true, schema: 'portcullis' });
}
