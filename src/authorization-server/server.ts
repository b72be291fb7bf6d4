import { mkdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type Provider from 'oidc-provider';
import { messageOf } from '../base/index.ts';
import { createOutbound } from '../outbound/index.ts';
import { createAccountPage } from './account-page.ts';
import { type Account, createAccountStore, createSignIn } from './accounts/index.ts';
import { endJson } from './answers.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { createRegistrationGate, guardedFetch } from './clients/index.ts';
import { type Addresses, auditProvider, createAudit, currentAddress } from './events.ts';
import { createFormGuard } from './forms.ts';
import { innerRequest } from './inner-request.ts';
import { createInteractions } from './interactions.ts';
import { openKeys } from './keys.ts';
import { authorizationServerMetadata, metadataPaths } from './metadata.ts';
import { type AuthorizationServerOptions, issuerPath } from './options.ts';
import { createProvider } from './provider.ts';
import { openRevocationList } from './revocation.ts';
import { createRoutes, ownsPath } from './routes.ts';
import { createSessions } from './sessions.ts';
import { createSetup } from './setup.ts';
import { createAdapterFactory } from './stores/adapter.ts';
import { openStore } from './stores/schema.ts';
import { sweep } from './stores/sweep.ts';
import { answerForAccessTokens, isRevoked } from './tokens.ts';

const pollMs = 1_000;
const sweepMs = 10 * 60_000;
/** Longer than an access token's life by any clock difference that verifiers allow. */
const skewMs = 5 * 60_000;

/** The embedded authorization server on its store. Throws OperationError if store or keys cannot be used. */
export async function createAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const { publicUrl, config, clock, log, dataDir } = options;
  const issuer = publicUrl + issuerPath;
  const tokenLifeMs = config.accessTokenMinutes * 60_000 + skewMs;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const keys = openKeys({ dataDir, clock, tokenLifeMs });
  const db = openStore(dataDir);
  const audit = createAudit(options);
  const addresses: Addresses = new WeakMap();
  const accounts = createAccountStore(db, clock);
  const revocations = openRevocationList(db, clock);

  const adapter = createAdapterFactory({
    db,
    clock,
    events: {
      grantEnded(grantId) {
        if (revocations.has('grant', grantId)) return;
        revocations.add('grant', grantId, clock.now() + tokenLifeMs);
        audit('token.revoked', { address: currentAddress(addresses), data: { grant_id: grantId } });
      },
      refreshReused({ clientId, accountId, accepted }) {
        const address = currentAddress(addresses);
        audit('refresh.reused', { client_id: clientId, subject: accountId, address, data: { accepted } });
      },
    },
  });
  const outbound = createOutbound();
  const fetchDocument = options.cimdFetch ?? guardedFetch(outbound);
  const start = (): Provider => {
    const provider = createProvider({ options, accounts, keys, adapter, fetchDocument });
    auditProvider(provider, audit, addresses);
    answerForAccessTokens(provider, { issuer, keys, clock, revocations, accounts, audit, addresses });
    return provider;
  };
  let current = start();
  const provider = () => current;

  const forms = createFormGuard({ publicUrl, key: keys.formKey() });
  const signIn = await createSignIn(accounts, clock);
  const sessions = createSessions({ provider, accounts, publicUrl });
  const setup = createSetup({
    db,
    clock,
    accounts,
    publicUrl,
    forms,
    audit,
    signIn: (req: IncomingMessage, res, account: Account) =>
      sessions.signIn(
        innerRequest(req, { publicUrl: new URL(publicUrl), target: '/setup', body: null }),
        res,
        account,
      ),
  });
  const scopes = options.scopes.map(({ scope }) => scope);
  const paths = metadataPaths(options.resources);
  const { dynamicRegistration, metadataDocuments } = config.clients;
  const routes = createRoutes({
    publicUrl,
    provider,
    addresses,
    rules: { resources: options.resources, knownScopes: new Set(scopes), baseline: options.baseline },
    metadata: authorizationServerMetadata({
      issuer,
      scopes,
      metadataDocuments,
      dynamicRegistration: dynamicRegistration !== null,
    }),
    metadataPaths: paths,
    jwks: () => keys.publicKeys(),
    registrationGate:
      dynamicRegistration &&
      createRegistrationGate({
        db,
        clock,
        maxPerHour: dynamicRegistration.maxPerHour,
        refused: (reason, address) => audit('client.refused', { address, data: { reason } }),
      }),
    interactions: createInteractions({ options, provider, accounts, signIn, forms, audit }),
    account: createAccountPage({ options, sessions, signIn, forms, audit }),
    setup: setup.handle,
  });

  const maintain = () => {
    const removed = sweep(db, { now: clock.now(), unusedDays: dynamicRegistration?.unusedDays ?? null });
    if (removed > 0) audit('client.removed', { data: { count: removed } });
    if (!keys.rotateIfDue()) return;
    current = start();
    audit('keys.rotated', { data: { kid: keys.currentKid } });
  };
  maintain();
  const guarded = (work: () => void) => () => {
    try {
      work();
    } catch (error) {
      log.error({ error: messageOf(error) }, 'authorization server: maintenance failed');
    }
  };
  const timers = [
    setInterval(
      guarded(() => revocations.refresh()),
      pollMs,
    ),
    setInterval(guarded(maintain), sweepMs),
  ];
  for (const timer of timers) timer.unref();

  return {
    issuer,
    owns: (path) => ownsPath(path, paths),
    async handle(req, res, { address }) {
      try {
        await routes(req, res, address);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'authorization server: request failed');
        if (res.headersSent) res.destroy();
        else endJson(res, 500, { error: 'server_error' });
      }
    },
    keys: () => keys.publicKeys(),
    isRevoked: (token) => isRevoked(revocations, token),
    setupUrl: () => setup.url(),
    onRevoked: (listener) => revocations.onAdded(listener),
    async close() {
      for (const timer of timers) clearInterval(timer);
      await outbound.close();
      db.close();
    },
  };
}
