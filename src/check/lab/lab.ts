import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/index.ts';
import { ownKey, signed } from '../tokens/forge.ts';
import { named } from '../tokens/read-token-set.ts';
import type { TokenSet } from '../tokens/token-set.ts';
import type { Trial } from '../tokens/trial.ts';
import { goodClaims, type MillOptions, mill, publicPart } from './mill.ts';

export interface LabOptions {
  readonly target: URL;
  readonly clock: Clock;
  /** 0: any free one. */
  readonly port: number;
  /** Where the server under test reaches the lab, if not at this machine’s loopback address. */
  readonly url?: string;
  /** Scopes of the good token, and of the one that may only read. */
  readonly scopes: { readonly all: string; readonly read: string };
}

/** An issuer for one run, whose keys never leave the process. */
export interface Lab {
  readonly issuer: string;
  /** What makes a staging server trust it, as lines of a configuration. */
  readonly configuration: string;
  readonly tokens: TokenSet;
  readonly trials: readonly Trial[];
  close(): Promise<void>;
}

export async function startLab(options: LabOptions): Promise<Lab> {
  const [key, otherKey] = [await ownKey('ES256'), await ownKey('ES256')];
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo;
    const document = documentAt(
      request.url ?? '',
      options.url ?? `http://127.0.0.1:${port}`,
      publicPart(key),
    );
    response.writeHead(document === null ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? { error: 'not_found' }));
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const issuer = options.url ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const audience = options.target.href;
  const now = Math.floor(options.clock.now() / 1000);
  const milled: MillOptions = { issuer, audience, scope: options.scopes.all, key, otherKey, now };
  return {
    issuer,
    configuration: configurationFor(issuer, audience),
    tokens: await labTokens(milled, options.scopes.read),
    trials: await mill(milled),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function documentAt(path: string, issuer: string, jwk: Readonly<Record<string, unknown>>): object | null {
  if (path === '/jwks') return { keys: [jwk] };
  const wellKnown = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
  if (!wellKnown.includes(path)) return null;
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    authorization_endpoint: `${issuer}/nobody`,
    token_endpoint: `${issuer}/nobody`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
    id_token_signing_alg_values_supported: ['ES256'],
    subject_types_supported: ['public'],
  };
}

function configurationFor(issuer: string, audience: string): string {
  return [
    '# Portcullis: for the time of the test alone, on a staging server.',
    'auth:',
    '  issuers:',
    `    - issuer: ${issuer}`,
    `      audience: ${audience}`,
    '      algorithms: [ES256]',
    '      typ: [at+jwt]',
    '      exclusiveAudience: true',
    '',
    '# Anything else: trust the issuer below, with its keys, for this audience.',
    `#   issuer    ${issuer}`,
    `#   keys      ${issuer}/jwks`,
    `#   audience  ${audience}`,
    '#   algorithm ES256, typ at+jwt',
  ].join('\n');
}

/** A whole set of tokens, good and bad, as `--tokens` would bring it. */
async function labTokens(options: MillOptions, readScope: string): Promise<TokenSet> {
  const { key, otherKey, now } = options;
  const good = goodClaims(options);
  const sign = async (name: string, change: Record<string, unknown>, typ = 'at+jwt', by = key) => {
    const claims = Object.fromEntries(
      Object.entries({ ...good, jti: `lab-${name}`, ...change }).filter(([, value]) => value !== undefined),
    );
    return named(name, await signed(claims, by, { kid: by.jwk.kid, typ }));
  };
  const other = 'https://other.example/mcp';
  return {
    issuer: null,
    client: null,
    refreshToken: null,
    disposable: false,
    tokens: {
      good: await sign('good', {}),
      'read-only': await sign('read-only', { scope: readScope }),
      'other-principal': await sign('other-principal', { sub: 'lab-bob', client_id: 'portcullis-lab-2' }),
      expired: await sign('expired', { iat: now - 7200, exp: now - 3600 }),
      'not-yet-valid': await sign('not-yet-valid', { nbf: now + 3600, exp: now + 7200 }),
      'other-issuer': await sign('other-issuer', { iss: 'https://issuer.example' }, 'at+jwt', otherKey),
      'wrong-audience': await sign('wrong-audience', { aud: other }),
      'sibling-resource': await sign('sibling-resource', {
        aud: `${new URL(options.audience).origin}/sibling/mcp`,
      }),
      'no-audience': await sign('no-audience', { aud: undefined }),
      'multiple-audience': await sign('multiple-audience', { aud: [options.audience, other] }),
      'id-token': await sign('id-token', { aud: 'portcullis-lab', nonce: 'n' }, 'JWT'),
    },
  };
}
