import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import { type AuthorizationServer, grantClaim, organizationClaim } from '../authorization-server/index.ts';
import type { Clock } from '../base/index.ts';
import type { Config, IssuerConfig, ServerConfig } from '../config/index.ts';
import {
  createIntrospectionVerifier,
  createJwksVerifier,
  Introspector,
  IssuerKeys,
  matchingAudience,
  type Verifier,
} from '../identity/index.ts';
import { denying } from './wire-denials.ts';
import type { Parts } from './wire-parts.ts';

/** Issuers' clocks may differ from ours by this much (the most that is accepted anywhere). */
const skewSeconds = 30;

/** Who vouches for the callers of a server: the embedded authorization server, then the issuers of the configuration. */
export function verifierFactory(
  config: Config,
  embedded: AuthorizationServer | null,
  parts: Parts,
): (server: ServerConfig) => Verifier[] {
  const issuers = config.auth.issuers.map((issuer) => ({ issuer, sources: sourcesOf(issuer, parts) }));
  return (server) => {
    const external = issuers.map(({ issuer, sources }) => {
      const rules = { ...issuer, audience: audienceOf(server, issuer, config) };
      return denying(externalVerifier(rules, { ...sources, config, clock: parts.clock }), parts.denials);
    });
    return embedded ? [embeddedVerifier(embedded, server, parts.clock), ...external] : external;
  };
}

/** What knows of an issuer's tokens; shared by the servers. */
interface IssuerSources {
  readonly keys: IssuerKeys;
  readonly introspector: Introspector | null;
}

function sourcesOf(issuer: IssuerConfig, parts: Parts): IssuerSources {
  const { introspection } = issuer;
  return {
    keys: new IssuerKeys({ ...issuer, ...parts }),
    introspector:
      introspection &&
      new Introspector({
        issuer: issuer.issuer,
        endpoint: introspection.endpoint,
        clientId: introspection.clientId,
        credentials: introspection,
        ...parts,
      }),
  };
}

/** What the operator lists, but for the URLs of the other servers: a token for one is none for another (RFC 8707 section 2). */
function audienceOf(server: ServerConfig, issuer: IssuerConfig, config: Config): readonly string[] | null {
  const others = config.servers.filter((other) => other !== server).map(({ resource }) => resource);
  return issuer.audience?.filter((name) => matchingAudience(name, others) === null) ?? null;
}

function externalVerifier(
  issuer: IssuerConfig,
  { keys, introspector, config, clock }: IssuerSources & { config: Config; clock: Clock },
): Verifier {
  const { algorithms, typ, claims } = issuer;
  // Gateways of ours that issue tokens for this one say their grant: it can be revoked as a whole.
  const rules = { ...issuer, ...claims, grant: grantClaim };
  const signature = createJwksVerifier({ rules, algorithms, typ, key: keys.find, skewSeconds, clock });
  if (introspector === null) return signature;
  return createIntrospectionVerifier({
    rules,
    introspector,
    signature: issuer.verify === 'both' ? signature : null,
    maxAgeMs: config.auth.revocation.withinSeconds * 1000,
    takesOpaque: issuer.introspection?.takesOpaque ?? false,
    skewSeconds,
    clock,
  });
}

/** Our own tokens: keys from memory (no request to ourselves), exactly this server's resource, one clock, the deny-list. */
function embeddedVerifier(embedded: AuthorizationServer, server: ServerConfig, clock: Clock): Verifier {
  const { issuer } = embedded;
  return createJwksVerifier({
    rules: {
      issuer,
      audience: [server.resource],
      // Ours name one server each: a token that names another as well is none of ours.
      exclusiveAudience: true,
      scopes: 'scope',
      organization: organizationClaim,
      grant: grantClaim,
    },
    algorithms: ['ES256'],
    typ: ['at+jwt'],
    key: localKeys(embedded),
    skewSeconds: 0,
    clock,
    isRevoked: ({ tokenId: jti, grantId, clientId, subject }) =>
      embedded.isRevoked({ jti, grantId, clientId, subject }),
  });
}

function localKeys(embedded: AuthorizationServer): JWTVerifyGetKey {
  let current = embedded.keys();
  let find = createLocalJWKSet(current);
  return (header, token) => {
    const now = embedded.keys();
    if (now !== current) {
      current = now;
      find = createLocalJWKSet(now);
    }
    return find(header, token);
  };
}
