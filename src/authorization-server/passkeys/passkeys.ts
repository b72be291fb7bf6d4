import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { type Clock, type Log, messageOf, readJson } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';
import type { Account, AccountStore } from '../accounts/index.ts';
import type { Tickets } from '../tickets.ts';
import { createPasskeyStore, type StoredPasskey } from './store.ts';

/** Loaded at the first use: who has no passkeys does without 20 MB. */
const webAuthn = () => import('@simplewebauthn/server');

const challengeLifeMs = 5 * 60_000;
const maximumPerAccount = 20;
const maximumResponseLength = 32 * 1024;

/** ES256, RS256, EdDSA (RFC 9053). */
const algorithms = [-7, -257, -8];

export type PasskeySummary = Pick<StoredPasskey, 'credentialId' | 'label' | 'createdAt' | 'usedAt'>;

/**
 * Discoverable credentials with user verification (WebAuthn level 3). A challenge is good for one use, for one purpose
 * in one browser: `context` says which.
 */
export interface Passkeys {
  /** JSON for `navigator.credentials.get`. */
  signInOptions(context: readonly string[]): Promise<string>;
  /** The account whose passkey answered the challenge; null if the answer does not hold. @param response attacker-controlled */
  signIn(response: string, context: readonly string[]): Promise<Account | null>;
  /** JSON for `navigator.credentials.create`. */
  enrolOptions(account: Account, context: readonly string[]): Promise<string>;
  /** @param response attacker-controlled */
  enrol(
    account: Account,
    given: { readonly response: string; readonly label: string },
    context: readonly string[],
  ): Promise<boolean>;
  list(accountId: string): PasskeySummary[];
  remove(accountId: string, credentialId: string): boolean;
}

export interface PasskeysOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly accounts: AccountStore;
  readonly tickets: Tickets;
  readonly publicUrl: string;
}

export function createPasskeys(options: PasskeysOptions): Passkeys {
  const store = createPasskeyStore(options.db);
  const rpID = new URL(options.publicUrl).hostname;
  const issue = (purpose: string, context: readonly string[]) =>
    options.tickets.issue([purpose, ...context], challengeLifeMs);
  return {
    async signInOptions(context) {
      const challenge = issue('passkey sign-in', context);
      const wanted = { rpID, challenge, userVerification: 'required', timeout: challengeLifeMs } as const;
      const { generateAuthenticationOptions } = await webAuthn();
      return JSON.stringify(await generateAuthenticationOptions(wanted));
    },
    signIn: (response, context) => signIn(options, { store, rpID, response, context }),
    async enrolOptions(account, context) {
      const { generateRegistrationOptions } = await webAuthn();
      const created = await generateRegistrationOptions({
        rpName: 'Portcullis',
        rpID,
        userID: new TextEncoder().encode(account.id),
        userName: account.name,
        challenge: issue('passkey enrolment', [account.id, ...context]),
        timeout: challengeLifeMs,
        attestationType: 'none',
        excludeCredentials: store.ofAccount(account.id).map(({ credentialId }) => ({ id: credentialId })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: algorithms,
      });
      return JSON.stringify(created);
    },
    enrol: (account, { response, label }, context) =>
      enrol(options, { store, rpID, account, response, label, context }),
    list: (accountId) => store.ofAccount(accountId),
    remove: (accountId, credentialId) => store.remove(accountId, credentialId),
  };
}

interface Attempt {
  readonly store: ReturnType<typeof createPasskeyStore>;
  readonly rpID: string;
  readonly response: string;
  readonly context: readonly string[];
}

async function signIn(options: PasskeysOptions, attempt: Attempt): Promise<Account | null> {
  const { accounts, tickets, clock } = options;
  const { store, rpID, context } = attempt;
  const response = parsed<AuthenticationResponseJSON>(attempt.response);
  const passkey = typeof response?.id === 'string' ? store.find(response.id) : undefined;
  const account = passkey && accounts.byId(passkey.accountId);
  if (response === null || passkey === undefined || account === undefined) return null;
  // A credential that names another account than the one it is stored for.
  if (response.response?.userHandle !== Buffer.from(account.id).toString('base64url')) return null;
  const { verifyAuthenticationResponse } = await webAuthn();
  let challenge = '';
  const result = await attempted(options, () =>
    verifyAuthenticationResponse({
      response,
      expectedChallenge(given) {
        challenge = Buffer.from(given, 'base64url').toString('utf8');
        return tickets.isValid(challenge, ['passkey sign-in', ...context]);
      },
      expectedOrigin: options.publicUrl,
      expectedRPID: rpID,
      credential: { id: passkey.credentialId, publicKey: passkey.publicKey, counter: passkey.counter },
      requireUserVerification: true,
    }),
  );
  if (result?.verified !== true) return null;
  if (!tickets.redeem(challenge, ['passkey sign-in', ...context])) return null;
  const counter = result.authenticationInfo.newCounter;
  return store.used(passkey.credentialId, { counter, now: clock.now() }) ? account : null;
}

async function enrol(
  options: PasskeysOptions,
  attempt: Attempt & { readonly account: Account; readonly label: string },
): Promise<boolean> {
  const { store, rpID, account, label } = attempt;
  const response = parsed<RegistrationResponseJSON>(attempt.response);
  if (response === null || store.ofAccount(account.id).length >= maximumPerAccount) return false;
  const context = ['passkey enrolment', account.id, ...attempt.context];
  const { verifyRegistrationResponse } = await webAuthn();
  let challenge = '';
  const result = await attempted(options, () =>
    verifyRegistrationResponse({
      response,
      expectedChallenge(given) {
        challenge = Buffer.from(given, 'base64url').toString('utf8');
        return options.tickets.isValid(challenge, context);
      },
      expectedOrigin: options.publicUrl,
      expectedRPID: rpID,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    }),
  );
  if (result?.verified !== true || !options.tickets.redeem(challenge, context)) return false;
  const { id, publicKey, counter } = result.registrationInfo.credential;
  const createdAt = options.clock.now();
  return store.add({
    credentialId: id,
    accountId: account.id,
    label,
    publicKey,
    counter,
    createdAt,
    usedAt: null,
  });
}

/** The library throws for whatever does not hold. */
async function attempted<T>({ log }: PasskeysOptions, verify: () => Promise<T>): Promise<T | null> {
  try {
    return await verify();
  } catch (error) {
    log.info({ reason: messageOf(error).slice(0, 200) }, 'a passkey was not accepted');
    return null;
  }
}

function parsed<T>(text: string): T | null {
  if (text.length > maximumResponseLength) return null;
  try {
    const value: unknown = readJson(text);
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
