import type { Clock } from '../base/index.ts';
import { createAccountStore } from './accounts/index.ts';
import { createGrantStore, type GrantStore } from './granted-access.ts';
import { openStore } from './stores/schema.ts';

/** Grants and revocation for administration, whether a server runs on the data directory or not. */
export interface GrantsAdmin extends GrantStore {
  /** Id of the account with this name, or undefined. */
  accountId(name: string): string | undefined;
  close(): void;
}

/** Opens the store of a data directory. Close it afterwards. A running server notices within its polling interval. */
export function openGrants(dataDir: string, clock: Clock): GrantsAdmin {
  const db = openStore(dataDir);
  const accounts = createAccountStore(db, clock);
  return {
    ...createGrantStore(db, clock),
    accountId: (name) => accounts.list().find((account) => account.name === name.toLowerCase())?.id,
    close: () => db.close(),
  };
}
