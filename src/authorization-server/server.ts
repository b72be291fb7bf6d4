import type { IncomingMessage, ServerResponse } from 'node:http';
import { refusedRequest } from '../audit/index.ts';
import { messageOf } from '../base/index.ts';
import { endJson } from './answers.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import type { ConfiguredClients } from './clients/index.ts';
import { type Connections, createCredentials } from './connections/index.ts';
import { type Foundation, layFoundation } from './foundation.ts';
import { createHandlers, hasPasswords } from './handlers.ts';
import { pollMs, startMaintenance } from './maintenance.ts';
import { metadataPaths } from './metadata.ts';
import type { AuthorizationServerOptions } from './options.ts';
import { withRecord } from './recorded-exchange.ts';
import { type Handler, ownsPath } from './routes.ts';
import { startProvider } from './start-provider.ts';
import { sweep } from './stores/sweep.ts';
import { isRevoked } from './tokens.ts';

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
