import type Provider from 'oidc-provider';
import { fetchingKeySets, grantsSupported, guardedFetch } from './clients/index.ts';
import { auditProvider, currentAddress } from './events.ts';
import type { Foundation } from './foundation.ts';
import { registerGrants } from './grants/index.ts';
import { createProvider, resourceServerInfo } from './provider.ts';
import { auditRefusals } from './refusals.ts';
import { askBeforeErrorRedirects } from './refused-request.ts';
import { createAdapterFactory, type RecordStoreEvents } from './stores/adapter.ts';
import { answerForAccessTokens } from './tokens.ts';

/** oidc-provider with the keys of the moment. A new one takes over after a rotation: it has no state of its own. */
export function startProvider(foundation: Foundation): Provider {
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
