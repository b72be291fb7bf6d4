import type { Account } from './accounts/index.ts';
import type { Connections } from './connections/index.ts';
import type { Audit } from './events.ts';

/** What the account page shows of one connection. */
export interface ConnectionItem {
  readonly server: string;
  /** Null where the server has no such connections any more. */
  readonly provider: string | null;
  readonly since: string;
}

export interface AccountConnections {
  list(account: Account): ConnectionItem[];
  /** Of this account alone. False if there is none. @param server attacker-controlled */
  remove(account: Account, server: string, address: string): boolean;
}

export function createAccountConnections(
  { store, providers }: Connections,
  audit: Audit,
): AccountConnections {
  return {
    list: (account) =>
      store.list(account.id).map(({ server, connectedAt }) => ({
        server,
        provider: providers.get(server)?.name ?? null,
        since: new Date(connectedAt).toISOString().slice(0, 16).replace('T', ' '),
      })),
    remove(account, server, address) {
      if (!store.remove({ server, subject: account.id })) return false;
      audit('connection.ended', { subject: account.id, address, data: { server, by: 'account page' } });
      return true;
    },
  };
}
