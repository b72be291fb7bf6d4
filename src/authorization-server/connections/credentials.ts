import { setTimeout } from 'node:timers/promises';
import { type Clock, type Log, messageOf, type Secret } from '../../base/index.ts';
import type { Principal } from '../../identity/index.ts';
import type { CredentialAnswer, NotConnected, UpstreamCredentials } from '../../upstream/index.ts';
import type { AccountStore } from '../accounts/index.ts';
import type { Audit } from '../events.ts';
import type { Connections } from './connections.ts';
import { ConnectError, type UpstreamTokens } from './provider.ts';
import type { ConnectionOwner, StoredConnection } from './store.ts';

/** An access token is renewed when it has less time left. */
const renewBeforeMs = 60_000;
const graceMs = 500;

export interface CredentialsParts {
  readonly connections: Connections;
  readonly accounts: AccountStore;
  readonly issuer: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Audit;
}

/** Looks up and renews what people are connected with. Fails closed: without a token nothing is sent. */
export function createCredentials(parts: CredentialsParts): UpstreamCredentials {
  const running = new Map<string, Promise<CredentialAnswer>>();
  return {
    async find(server, principal) {
      try {
        const owner = ownerOf(parts, server, principal);
        if (owner === null) return foreign;
        const stored = parts.connections.store.find(owner);
        if (stored === null) return missing(parts, server, 'the caller has no connection');
        if (stored.isOld) parts.connections.store.replace(owner, stored.tokens, stored.version);
        if (isFresh(parts, stored.tokens)) return connected(stored.tokens);
        return await once(running, JSON.stringify([server, owner.subject]), () => renew(parts, owner));
      } catch (error) {
        return { state: 'unavailable', detail: `the connection cannot be read: ${messageOf(error)}` };
      }
    },
    refused: (server, principal, token) => refused(parts, { server, principal, token }),
  };
}

const foreign: NotConnected = {
  state: 'not_connected',
  message:
    'This server needs an account of the caller, and only people who sign in at this gateway can connect one',
  detail: 'the caller is no account of the embedded authorization server',
};

/** The subject of another issuer may look like ours: the issuer is compared first. */
function ownerOf(
  { issuer, accounts, connections }: CredentialsParts,
  server: string,
  principal: Principal,
): ConnectionOwner | null {
  if (principal.issuer !== issuer || accounts.byId(principal.subject) === undefined) return null;
  return connections.owner(server, principal.subject);
}

function missing({ connections }: CredentialsParts, server: string, detail: string): NotConnected {
  const link = connections.link(server);
  return {
    state: 'not_connected',
    message: `Your account at ${server} is not connected. Open ${link}, connect once there, then call again`,
    detail,
  };
}

function connected({ access: token }: UpstreamTokens): CredentialAnswer {
  return { state: 'connected', token };
}

function isFresh({ clock }: CredentialsParts, { expiresAt }: UpstreamTokens): boolean {
  return expiresAt === null || expiresAt - clock.now() > renewBeforeMs;
}

/** One renewal at a time for each person and server: most providers take a refresh token once. */
function once<T>(running: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const known = running.get(key);
  if (known !== undefined) return known;
  const started = work().finally(() => running.delete(key));
  running.set(key, started);
  return started;
}

async function renew(parts: CredentialsParts, owner: ConnectionOwner): Promise<CredentialAnswer> {
  const { store, providers } = parts.connections;
  const stored = store.find(owner);
  if (stored === null) return missing(parts, owner.server, 'the caller has no connection');
  if (isFresh(parts, stored.tokens)) return connected(stored.tokens);
  const provider = providers.get(owner.server);
  const { refresh } = stored.tokens;
  if (provider === undefined || refresh === null) return expired(parts, owner, stored);
  try {
    const tokens = await provider.refresh(refresh);
    // Whoever disconnected meanwhile is not connected by this, and a newer connection stays.
    if (store.replace(owner, tokens, stored.version)) return connected(tokens);
    return settled(parts, owner) ?? missing(parts, owner.server, 'disconnected during a renewal');
  } catch (error) {
    if (error instanceof ConnectError && error.failure === 'refused') {
      const elsewhere = settled(parts, owner, stored);
      if (elsewhere !== null) return elsewhere;
      // Another process that was faster may still be writing what it got.
      await setTimeout(graceMs);
      return settled(parts, owner, stored) ?? end(parts, owner, stored);
    }
    const detail = `the connection could not be renewed: ${messageOf(error)}`;
    parts.log.warn({ server: owner.server, detail }, 'a connection could not be renewed');
    return isAlive(parts, stored.tokens) ? connected(stored.tokens) : { state: 'unavailable', detail };
  }
}

function expired(parts: CredentialsParts, owner: ConnectionOwner, stored: StoredConnection) {
  return isAlive(parts, stored.tokens) ? connected(stored.tokens) : end(parts, owner, stored);
}

function isAlive({ clock }: CredentialsParts, { expiresAt }: UpstreamTokens): boolean {
  return expiresAt === null || expiresAt > clock.now();
}

/** Another process may have renewed it: its refresh token is the good one. */
function settled(
  parts: CredentialsParts,
  owner: ConnectionOwner,
  before?: StoredConnection,
): CredentialAnswer | null {
  const now = parts.connections.store.find(owner);
  return now !== null && now.version !== before?.version && isAlive(parts, now.tokens)
    ? connected(now.tokens)
    : null;
}

function end(parts: CredentialsParts, owner: ConnectionOwner, { version }: StoredConnection): NotConnected {
  const { server, subject } = owner;
  if (parts.connections.store.remove(owner, version)) {
    parts.audit('connection.ended', { subject, data: { server, by: 'provider' } });
  }
  return missing(parts, server, 'the provider ended the connection');
}

/** A token that can be renewed is, at the next call; another one ends the connection. */
function refused(
  parts: CredentialsParts,
  { server, principal, token }: { server: string; principal: Principal; token: Secret },
): NotConnected {
  const owner = ownerOf(parts, server, principal);
  if (owner === null) return foreign;
  const { store } = parts.connections;
  const stored = store.find(owner);
  // Renewed or connected anew since: what was refused is gone.
  if (stored !== null && stored.tokens.access.reveal() === token.reveal()) {
    if (stored.tokens.refresh === null) end(parts, owner, stored);
    else store.replace(owner, { ...stored.tokens, expiresAt: 0 }, stored.version);
  }
  return missing(parts, server, 'the upstream refused the credentials of the caller with 401');
}
