import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { refusedRequest } from '../audit/index.ts';
import { messageOf } from '../base/index.ts';
import { createOutbound, type Outbound } from '../outbound/index.ts';
import type { Db } from '../store/index.ts';
import { createAccountAccess } from './account-access.ts';
import { createAccountConnections } from './account-connections.ts';
import { createAccountPage } from './account-page.ts';
import { type Account, type AccountStore, createAccountStore } from './accounts/index.ts';
import { endJson } from './answers.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import {
  type ConfiguredClients,
  createConfiguredClients,
  createRegistrationGate,
  fetchingKeySets,
  grantsSupported,
  guardedFetch,
  registeredClientId,
} from './clients/index.ts';
import {
  type Connections,
  createConnections,
  createConnectPage,
  createCredentials,
} from './connections/index.ts';
import { type Addresses, auditProvider, createAudit, currentAddress, type OpenAudit } from './events.ts';
import { createFormGuard, type FormGuard } from './forms.ts';
import { createGrantStore, type GrantStore } from './granted-access.ts';
import { createEnterpriseAccounts, type EnterpriseAccounts, registerGrants } from './grants/index.ts';
import { innerRequest } from './inner-request.ts';
import { createInteractions } from './interactions.ts';
import { type Keys, openKeys } from './keys.ts';
import { pollMs, startMaintenance } from './maintenance.ts';
import { authorizationServerMetadata, metadataPaths } from './metadata.ts';
import { type AuthorizationServerOptions, issuerPath } from './options.ts';
import { endErrorPage } from './pages/index.ts';
import { createProvider, resourceServerInfo } from './provider.ts';
import { withRecord } from './recorded-exchange.ts';
import { auditRefusals } from './refusals.ts';
import { askBeforeErrorRedirects } from './refused-request.ts';
import { openRevocationList, type RevocationList } from './revocation.ts';
import { createRoutes, type Handler, ownsPath } from './routes.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createSetup, type Setup } from './setup.ts';
import { createPeople, createSignInWays, type People } from './sign-in-ways.ts';
import { createStepUps, type StepUps } from './step-up.ts';
import { createAdapterFactory, type RecordStoreEvents } from './stores/adapter.ts';
import { openStore } from './stores/schema.ts';
import { sweep } from './stores/sweep.ts';
import { createTickets } from './tickets.ts';
import { answerForAccessTokens, isRevoked } from './tokens.ts';

/** Longer than an access token's life by any clock difference that verifiers allow. */
const skewMs = 5 * 60_000;

/** What everything else is made of: the store, and what lives on it. */
interface Foundation {
  readonly options: AuthorizationServerOptions;
  readonly issuer: string;
  readonly tokenLifeMs: number;
  readonly db: Db;
  readonly keys: Keys;
  readonly accounts: AccountStore;
  readonly revocations: RevocationList;
  readonly outbound: Outbound;
  readonly addresses: Addresses;
  readonly audit: OpenAudit['audit'];
  readonly closeAudit: () => void;
  readonly people: People;
  readonly stepUps: StepUps;
  readonly grants: GrantStore;
  readonly clients: ConfiguredClients;
  readonly enterpriseAccounts: EnterpriseAccounts;
  readonly connections: Connections | null;
}

/** The embedded authorization server on its store. Throws OperationError if store or keys cannot be used. */
export async function createAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const foundation = layFoundation(options);
  const { issuer, db, keys, revocations, outbound } = foundation;
  await foundation.accounts.useDenyList(options.config.passwords.denyList).catch((error: unknown) => {
    db.close();
    throw error;
  });
  let current = startProvider(foundation);
  const { setup, routes } = await createHandlers(foundation, () => current);
  const paths = metadataPaths(options.resources);
  const stopMaintenance = startMaintenance({
    log: options.log,
    pollMs: pollMs(options.revokedWithinSeconds ?? 5),
    poll: () => revocations.refresh(),
    sweep: () => {
      if (tidy(foundation)) current = startProvider(foundation);
    },
  });
  const credentials = foundation.connections && credentialsOf(foundation, foundation.connections);
  let closed = false;
  return {
    issuer,
    owns: (path) => ownsPath(path, paths),
    handle: (req, res, { address }) => answer(foundation, { routes, req, res, address }),
    keys: () => keys.publicKeys(),
    isRevoked: (token) => isRevoked(revocations, token) || isUnregistered(token, foundation.clients),
    setupUrl: () => (hasPasswords(options) ? setup.url() : null),
    credentials,
    expectStepUp: (grantId) => foundation.stepUps.expect(grantId),
    onRevoked: (listener) => revocations.onAdded(listener),
    async close() {
      if (closed) return;
      closed = true;
      stopMaintenance();
      await outbound.close();
      foundation.closeAudit();
      db.close();
    },
  };
}

function credentialsOf({ options, accounts, audit, issuer }: Foundation, connections: Connections) {
  const { clock, log } = options;
  return createCredentials({ connections, accounts, issuer, clock, log, audit });
}

/** A machine that left the configuration takes its tokens with it. */
function isUnregistered(
  { clientId, subject }: { clientId: string; subject: string },
  clients: ConfiguredClients,
): boolean {
  return subject === clientId && clients.find(clientId) === undefined;
}

function layFoundation(options: AuthorizationServerOptions): Foundation {
  const { clock, dataDir } = options;
  const tokenLifeMs = options.config.accessTokenMinutes * 60_000 + skewMs;
  const db = openStore(dataDir);
  const accounts = createAccountStore(db, clock);
  const { audit, close: closeAudit } = createAudit(options);
  const keys = openKeys({ dataDir, clock, tokenLifeMs });
  if (keys.areNew) audit('keys.created', { data: { kid: keys.currentKid } });
  const outbound = createOutbound();
  return {
    options,
    issuer: options.publicUrl + issuerPath,
    tokenLifeMs,
    db,
    keys,
    accounts,
    people: createPeople({ options, db, keys, accounts, outbound, audit }),
    revocations: openRevocationList(db, clock, options.publicUrl + issuerPath),
    outbound,
    addresses: new WeakMap(),
    audit,
    closeAudit,
    stepUps: createStepUps(clock),
    grants: createGrantStore(db, clock),
    clients: createConfiguredClients(options.config.machines.clients, options.resources),
    enterpriseAccounts: createEnterpriseAccounts({ db, accounts, clock, audit }),
    connections: options.connections
      ? createConnections(options.connections, {
          ...options,
          db,
          outbound,
          issuer: options.publicUrl + issuerPath,
        })
      : null,
  };
}

/** oidc-provider with the keys of the moment. A new one takes over after a rotation: it has no state of its own. */
function startProvider(foundation: Foundation): Provider {
  const { options, accounts, keys, db, outbound, audit, addresses } = foundation;
  const adapter = createAdapterFactory({ db, clock: options.clock, events: recordEvents(foundation) });
  const { machines } = options.config;
  const fetchDocument = fetchingKeySets(machines.clients, {
    configured: guardedFetch(outbound, 'configured'),
    others: options.cimdFetch ?? guardedFetch(outbound),
  });
  const parts = {
    options,
    accounts,
    keys,
    adapter,
    fetchDocument,
    livingAccount: foundation.people.livingAccount,
    stepUps: foundation.stepUps,
    grants: foundation.grants,
    clients: foundation.clients,
  };
  const provider = createProvider(parts);
  auditProvider(provider, audit, addresses);
  const grantTypes = new Set(['authorization_code', 'refresh_token', ...grantsSupported(foundation.clients)]);
  auditRefusals(provider, audit, { addresses, grantTypes });
  askBeforeErrorRedirects(provider, foundation.grants);
  const tokens = { ...foundation, clock: options.clock };
  answerForAccessTokens(provider, tokens);
  registerGrants(provider, {
    ...options,
    ...foundation,
    enterprise: machines.enterprise,
    tokens,
    resourceServer: resourceServerInfo(parts),
  });
  return provider;
}

function recordEvents({
  options,
  revocations,
  audit,
  addresses,
  tokenLifeMs,
}: Foundation): RecordStoreEvents {
  return {
    grantEnded({ grantId, clientId, accountId }) {
      if (revocations.has('grant', grantId)) return;
      revocations.add('grant', grantId, options.clock.now() + tokenLifeMs);
      audit('token.revoked', {
        client_id: clientId,
        subject: accountId,
        address: currentAddress(addresses),
        data: { grant_id: grantId },
      });
    },
    codeReused({ clientId, accountId, grantId }) {
      audit('code.reused', {
        client_id: clientId,
        subject: accountId,
        address: currentAddress(addresses),
        data: { grant_id: grantId },
      });
    },
    refreshReused({ clientId, accountId, grantId, accepted }) {
      audit('refresh.reused', {
        client_id: clientId,
        subject: accountId,
        address: currentAddress(addresses),
        data: { accepted, grant_id: grantId },
      });
    },
  };
}

/** Deletes what has expired and rotates the keys; true if they changed. */
function tidy({ options, db, keys, audit }: Foundation): boolean {
  const unusedDays = options.config.clients.dynamicRegistration?.unusedDays ?? null;
  const removed = sweep(db, { now: options.clock.now(), unusedDays });
  if (removed > 0) audit('client.removed', { data: { count: removed } });
  const before = keys.currentKid;
  if (!keys.rotateIfDue()) return false;
  audit('keys.rotated', { data: { kid: keys.currentKid, before } });
  return true;
}

async function createHandlers(
  foundation: Foundation,
  provider: () => Provider,
): Promise<{ setup: Setup; routes: Handler }> {
  const { options, db, keys, accounts, audit } = foundation;
  const { publicUrl, clock } = options;
  const forms = createFormGuard({ publicUrl, key: keys.formKey() });
  const sessions = createSessions({ provider, accounts, publicUrl, clock });
  const startSession = (req: IncomingMessage, res: ServerResponse, account: Account) => {
    const inner = innerRequest(req, { publicUrl: new URL(publicUrl), target: '/setup', body: null });
    return sessions.signIn(inner, res, account);
  };
  const setup = createSetup({
    db,
    clock,
    accounts,
    publicUrl,
    key: keys.formKey(),
    forms,
    audit,
    signIn: startSession,
  });
  const ways = await createSignInWays({ ...foundation, provider, forms, startSession });
  const isLocal = ({ id }: Account) => foundation.people.identities.ofAccount(id) === null;
  const routes = createRoutes({
    ...documents(foundation),
    publicUrl,
    provider,
    addresses: foundation.addresses,
    registrationGate: registrationGate(foundation),
    audit,
    interactions: createInteractions({ options, provider, accounts, ways, forms, audit }),
    account: createAccountPage({
      options,
      sessions,
      ways,
      isLocal,
      access: createAccountAccess({
        grants: foundation.grants,
        noticeRevocations: () => foundation.revocations.refresh(),
        audit,
      }),
      connections:
        foundation.connections && createAccountConnections(foundation.connections, audit, options.log),
      forms,
      audit,
    }),
    connect: foundation.connections && connectPageOf(foundation, foundation.connections, { sessions, forms }),
    setup: hasPasswords(options) ? setup.handle : endNoSetup,
    signInCallback: ways.provider?.callback ?? null,
  });
  return { setup, routes };
}

function connectPageOf(
  { options, db, keys, audit }: Foundation,
  connections: Connections,
  { sessions, forms }: { sessions: Sessions; forms: FormGuard },
): Handler {
  const { clock, log, publicUrl } = options;
  const tickets = createTickets({ db, clock, key: keys.derivedKey('tickets of connections') });
  const key = keys.derivedKey('secrets of a connection');
  return createConnectPage({ connections, publicUrl, sessions, forms, tickets, key, audit, log });
}

function hasPasswords({ config }: AuthorizationServerOptions): boolean {
  return config.signIn.includes('password');
}

/** The first administrator is somebody of the identity provider. */
function endNoSetup(_req: IncomingMessage, res: ServerResponse): void {
  endErrorPage(res, 404, 'There is no such page.');
}

/** What can be said without looking at a request. */
function documents({ options, issuer, keys, clients }: Foundation) {
  const scopes = options.scopes.map(({ scope }) => scope);
  const { dynamicRegistration, metadataDocuments } = options.config.clients;
  const metadata = authorizationServerMetadata({
    issuer,
    scopes,
    metadataDocuments: metadataDocuments !== false,
    dynamicRegistration: dynamicRegistration !== null,
    dpop: options.config.dpop,
    grants: grantsSupported(clients),
  });
  return {
    rules: { resources: options.resources, knownScopes: new Set(scopes), baseline: options.baseline },
    metadata,
    metadataPaths: metadataPaths(options.resources),
    jwks: () => keys.publicKeys(),
  };
}

function registrationGate({ options, db, keys, audit }: Foundation) {
  const { dynamicRegistration, redirectSchemes } = options.config.clients;
  if (dynamicRegistration === null) return null;
  return createRegistrationGate({
    db,
    clock: options.clock,
    ...dynamicRegistration,
    redirectSchemes,
    clientId: (metadata) => registeredClientId(metadata, { key: keys.formKey(), now: options.clock.now() }),
    refused: (reason, address) => audit('client.refused', { address, data: { reason } }),
  });
}

async function answer(
  { options, audit }: Foundation,
  exchange: { routes: Handler; req: IncomingMessage; res: ServerResponse; address: string },
): Promise<void> {
  const { routes, req, res, address } = exchange;
  const unrecorded = () => {
    const { event: _, ...fields } = refusedRequest({
      ...{ address, status: res.statusCode },
      ...{ method: req.method, target: req.url },
    });
    audit('http.refused', fields);
  };
  try {
    await withRecord(res, unrecorded, async () => routes(req, res, address));
  } catch (error) {
    // A client that went away while its body was read is no fault of ours.
    if (!req.readableAborted) {
      options.log.error({ error: messageOf(error) }, 'authorization server: request failed');
    }
    if (res.headersSent || req.readableAborted) res.destroy();
    else endJson(res, 500, { error: 'server_error' });
  }
}
