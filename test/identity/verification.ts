import { type Clock, silentLog, systemClock } from '../../src/base/index.ts';
import {
  type Authenticator,
  createAuthenticator,
  createJwksVerifier,
  IssuerKeys,
  type Possession,
} from '../../src/identity/index.ts';
import type { Outbound } from '../../src/outbound/index.ts';
import type { TestIssuer } from './issuer.ts';

export const resource = 'https://mcp.example.com/mcp';

/** What the gateway would make of issuers with a plain configuration. */
export function verification(
  issuers: readonly TestIssuer[],
  {
    outbound,
    clock = systemClock,
    possession,
    typ = ['at+jwt'],
  }: { outbound: Outbound; clock?: Clock; possession?: Possession; typ?: readonly string[] },
): Authenticator {
  return createAuthenticator(
    issuers.map(({ issuer }) => {
      const keys = new IssuerKeys({ issuer, jwksUri: null, outbound, clock, log: silentLog });
      return createJwksVerifier({
        rules: { issuer, audience: [resource], scopes: 'scope', organization: 'org', grant: null },
        algorithms: ['ES256', 'RS256'],
        typ,
        key: keys.find,
        skewSeconds: 30,
        clock,
      });
    }),
    clock,
    possession,
  );
}
