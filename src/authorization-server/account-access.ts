import type { Account } from './accounts/index.ts';
import type { Audit } from './events.ts';
import type { GrantedAccess, GrantStore } from './granted-access.ts';

export interface AccountAccessParts {
  readonly grants: GrantStore;
  /** Reads what was just written, so that it holds here at once. */
  readonly noticeRevocations: () => void;
  readonly audit: Audit;
}

/** What the account page shows of one grant. */
export interface AccessItem {
  readonly id: string;
  readonly client: GrantedAccess['clientId'];
  /** The client's own claim; null where it registered none. */
  readonly clientName: string | null;
  readonly since: string;
  readonly resources: GrantedAccess['resources'];
}

export interface AccountAccess {
  list(account: Account): AccessItem[];
  /** Ends a grant of this account, with its tokens. False for another's, or one that is gone. @param id attacker-controlled */
  end(account: Account, id: string, address: string): boolean;
}

/** What a person allowed, for that person alone. */
export function createAccountAccess({ grants, noticeRevocations, audit }: AccountAccessParts): AccountAccess {
  return {
    list: (account) =>
      grants.list({ accountId: account.id }).map(({ id, clientId, clientName, createdAt, resources }) => ({
        id,
        client: clientId,
        clientName,
        since: new Date(createdAt).toISOString().slice(0, 16).replace('T', ' '),
        resources,
      })),
    end(account, id, address) {
      const grant = grants.find(id);
      if (grant === undefined || grant.accountId !== account.id || !grants.end(id)) return false;
      noticeRevocations();
      audit('grant.revoked', {
        client_id: grant.clientId,
        subject: account.id,
        address,
        data: { grant_id: id, by: 'account page' },
      });
      return true;
    },
  };
}
