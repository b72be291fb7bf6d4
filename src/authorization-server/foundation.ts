import { createOutbound, type Outbound } from '../outbound/index.ts';
import type { Db } from '../store/index.ts';
import { type AccountStore, createAccountStore } from './accounts/index.ts';
import { type ConfiguredClients, createConfiguredClients } from './clients/index.ts';
import { type Connections, createConnections } from './connections/index.ts';
import { type Addresses, createAudit, type OpenAudit } from './events.ts';
import { createGrantStore, type GrantStore } from './granted-access.ts';
import { createEnterpriseAccounts, type EnterpriseAccounts } from './grants/index.ts';
import { type Keys, openKeys } from './keys.ts';
import { type AuthorizationServerOptions, issuerPath } from './options.ts';
import { openRevocationList, type RevocationList } from './revocation.ts';
import { createPeople, type People } from './sign-in-ways.ts';
import { createStepUps, type StepUps } from './step-up.ts';
import { openStore } from './stores/schema.ts';

/** Longer than an access token's life by any clock difference that verifiers allow. */
const skewMs = 5 * 60_000;

/** What everything else is made of: the store, and what lives on it. */
export interface Foundation {
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

export function layFoundation(options: AuthorizationServerOptions): Foundation {
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
