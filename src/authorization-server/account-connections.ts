import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Log, messageOf } from '../base/index.ts';
import type { Account } from './accounts/index.ts';
import type { Connections, UpstreamTokens } from './connections/index.ts';
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
  /** The page that somebody opened before signing in, once; null for none. */
  resume(req: IncomingMessage, res: ServerResponse): string | null;
}

export function createAccountConnections(
  connections: Connections,
  audit: Audit,
  log: Log,
): AccountConnections {
  const { store, providers, returnLink } = connections;
  return {
    list: (account) =>
      store.list(account.id).map(({ server, connectedAt }) => ({
        server,
        provider: providers.get(server)?.name ?? null,
        since: new Date(connectedAt).toISOString().slice(0, 16).replace('T', ' '),
      })),
    remove(account, server, address) {
      const known = providers.has(server) ? store.find(connections.owner(server, account.id)) : null;
      if (!store.remove({ server, subject: account.id })) return false;
      audit('connection.ended', { subject: account.id, address, data: { server, by: 'account page' } });
      if (known !== null) void revoke(known.tokens, server, account.id);
      return true;
    },
    resume: (req, res) => returnLink.take(req, res),
  };

  /** Afterwards and as far as it goes: the connection has ended here, whatever the provider says. Never rejects. */
  async function revoke(tokens: UpstreamTokens, server: string, subject: string): Promise<void> {
    try {
      if (await providers.get(server)?.revoke(tokens))
        audit('connection.revoked', { subject, data: { server } });
    } catch (error) {
      log.warn({ server, detail: messageOf(error) }, 'tokens could not be revoked at the provider');
      audit('connection.unrevoked', { subject, data: { server } });
    }
  }
}
