import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { Outbound } from '../outbound/index.ts';
import type { Db } from '../store/index.ts';
import { type Account, type AccountStore, createSignIn } from './accounts/index.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import {
  callbackPath,
  createIdentities,
  createIdentityProvider,
  createLivingAccount,
  createProviderSignIn,
  createSeal,
  type Identities,
  type IdentityProvider,
  type LivingAccount,
} from './identity-provider/index.ts';
import type { Keys } from './keys.ts';
import { type AuthorizationServerOptions, issuerPath } from './options.ts';
import { createPasskeys } from './passkeys/index.ts';
import type { SignInWays } from './sign-in-offer.ts';
import { createTickets } from './tickets.ts';

export interface PeopleParts {
  readonly options: AuthorizationServerOptions;
  readonly db: Db;
  readonly keys: Keys;
  readonly accounts: AccountStore;
  readonly outbound: Outbound;
  readonly audit: Audit;
}

/** What is known of people who sign in elsewhere. */
export interface People {
  readonly identities: Identities;
  readonly identityProvider: IdentityProvider | null;
  readonly livingAccount: LivingAccount;
}

export function createPeople({ options, db, keys, accounts, outbound, audit }: PeopleParts): People {
  const { clock, log, publicUrl } = options;
  const { oidc, signIn } = options.config;
  const redirectUri = publicUrl + issuerPath + callbackPath;
  const identityProvider =
    oidc !== null && signIn.includes('oidc')
      ? createIdentityProvider({ config: oidc, redirectUri, outbound, clock })
      : null;
  const seal = createSeal(keys.derivedKey('refresh tokens of the identity provider'));
  const identities = createIdentities({ db, clock, accounts, seal, audit });
  const living = { accounts, identities, provider: identityProvider, clock, audit, log };
  return { identities, identityProvider, livingAccount: createLivingAccount(living) };
}

export interface WaysParts extends PeopleParts {
  readonly people: People;
  readonly provider: () => Provider;
  readonly forms: FormGuard;
  readonly startSession: (req: IncomingMessage, res: ServerResponse, account: Account) => Promise<void>;
}

/** The ways to sign in that the configuration switches on. */
export async function createSignInWays(parts: WaysParts): Promise<SignInWays> {
  const { options, db, keys, accounts } = parts;
  const { signIn } = options.config;
  const { identityProvider, identities } = parts.people;
  const { clock } = options;
  const tickets = createTickets({ db, clock, key: keys.derivedKey('tickets') });
  const key = keys.derivedKey('secrets of a sign-in');
  return {
    password: signIn.includes('password') ? await createSignIn({ accounts, clock, db }) : null,
    passkeys: signIn.includes('passkey') ? createPasskeys({ ...options, db, accounts, tickets }) : null,
    provider:
      identityProvider === null
        ? null
        : createProviderSignIn({ ...parts, identityProvider, identities, tickets, key }),
  };
}
