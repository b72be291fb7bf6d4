import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { Clock } from '../base/index.ts';
import type { Account, AccountStore } from './accounts/index.ts';
import { cookieSettings } from './cookies.ts';
import { sessionHours } from './options.ts';

/** The browser's sign-in, shared with authorization requests: oidc-provider's session. */
export interface Sessions {
  current(req: IncomingMessage, res: ServerResponse): Promise<CurrentSession | undefined>;
  signIn(req: IncomingMessage, res: ServerResponse, account: Account): Promise<void>;
  signOut(req: IncomingMessage, res: ServerResponse): Promise<void>;
}

export interface CurrentSession {
  readonly account: Account;
  /** Epoch ms. */
  readonly signedInAt: number;
}

export interface SessionsOptions {
  readonly provider: () => Provider;
  readonly accounts: AccountStore;
  readonly publicUrl: string;
  readonly clock: Clock;
}

/** The requests must be inner ones: cookies are marked secure by what they say about the protocol. */
export function createSessions({ provider, accounts, publicUrl, clock }: SessionsOptions): Sessions {
  const { long, names } = cookieSettings(publicUrl);
  const open = async (req: IncomingMessage, res: ServerResponse) => {
    const ctx = provider().createContext(req, res);
    return { ctx, session: await provider().Session.get(ctx as never) };
  };
  return {
    async current(req, res) {
      const { session } = await open(req, res);
      const account = session.accountId === undefined ? undefined : accounts.byId(session.accountId);
      return account && { account, signedInAt: (session.loginTs ?? 0) * 1000 };
    },
    async signIn(req, res, account) {
      const { ctx, session } = await open(req, res);
      // A new identifier: what somebody may have planted in the browser before is worthless.
      session.resetIdentifier();
      session.authorizations = {};
      session.loginAccount({
        accountId: account.id,
        transient: true,
        loginTs: Math.floor(clock.now() / 1000),
      });
      await session.save(sessionHours * 3600);
      ctx.cookies.set(names.session, session.jti, long);
    },
    async signOut(req, res) {
      const { ctx, session } = await open(req, res);
      await session.destroy();
      ctx.cookies.set(names.session, null, long);
    },
  };
}
