import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { createAccountAccess } from './account-access.ts';
import { createAccountConnections } from './account-connections.ts';
import { createAccountPage } from './account-page.ts';
import type { Account } from './accounts/index.ts';
import { createRegistrationGate, grantsSupported, registeredClientId } from './clients/index.ts';
import { type Connections, createConnectPage } from './connections/index.ts';
import { createFormGuard, type FormGuard } from './forms.ts';
import type { Foundation } from './foundation.ts';
import { innerRequest } from './inner-request.ts';
import { createInteractions } from './interactions.ts';
import { authorizationServerMetadata, metadataPaths } from './metadata.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { endErrorPage } from './pages/index.ts';
import { createRoutes, type Handler } from './routes.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createSetup, type Setup } from './setup.ts';
import { createSignInWays } from './sign-in-ways.ts';
import { createTickets } from './tickets.ts';

/** What answers at each path of the authorization server. `provider` gives the one of the moment. */
export async function createHandlers(
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

export function hasPasswords({ config }: AuthorizationServerOptions): boolean {
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
