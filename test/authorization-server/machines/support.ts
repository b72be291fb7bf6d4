import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type CryptoKey, decodeJwt, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { Secret } from '../../../src/base/index.ts';
import type { RegisteredClientConfig } from '../../../src/config/index.ts';
import {
  type RunningAuthorizationServer,
  requestToken,
  type StartOptions,
  startAuthorizationServer,
  type TokenAnswer,
} from '../support.ts';

export const secret = 'a secret that only this machine knows';

/** A registered machine with a secret; everything else as given. */
export function machine(client: Partial<RegisteredClientConfig> = {}): RegisteredClientConfig {
  return {
    id: 'nightly',
    name: 'Nightly report',
    secret: new Secret(secret),
    jwks: null,
    jwksUri: null,
    grants: ['client_credentials'],
    redirectUris: [],
    scopes: ['mcp:tools:read', 'mcp:tools:write'],
    servers: null,
    organization: 'ops',
    ...client,
  };
}

export interface MachineKey {
  readonly jwks: readonly Record<string, unknown>[];
  readonly privateKey: CryptoKey;
}

export async function machineKey(kid = 'k1'): Promise<MachineKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { jwks: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }], privateKey };
}

/** A client assertion (RFC 7523 section 2.2); claims as given, those set to undefined left out. */
export function clientAssertion(
  as: { readonly issuer: string },
  key: MachineKey,
  claims: JWTPayload = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = {
    iss: 'nightly',
    sub: 'nightly',
    aud: as.issuer,
    iat: now,
    exp: now + 60,
    jti: randomUUID(),
    ...claims,
  };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key.privateKey);
}

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function byAssertion(assertion: string, parameters: Record<string, string> = {}) {
  return {
    grant_type: 'client_credentials',
    client_assertion_type: assertionType,
    client_assertion: assertion,
    ...parameters,
  };
}

export function bySecret(parameters: Record<string, string> = {}) {
  return {
    grant_type: 'client_credentials',
    client_id: 'nightly',
    client_secret: secret,
    ...parameters,
  };
}

export function startWith(
  clients: readonly RegisteredClientConfig[],
  start: StartOptions = {},
): Promise<RunningAuthorizationServer> {
  return startAuthorizationServer({ ...start, machines: { clients, ...start.machines } });
}

/** The claims of a token that must have been issued. */
export function claimsOf(answer: TokenAnswer): JWTPayload {
  assert.equal(answer.status, 200, JSON.stringify(answer));
  return decodeJwt(answer.access_token);
}

export async function refused(
  as: RunningAuthorizationServer,
  parameters: Record<string, string>,
  error: string,
): Promise<TokenAnswer> {
  const answer = await requestToken(as, parameters);
  assert.equal(answer.error, error, JSON.stringify(answer));
  assert.ok(answer.status >= 400);
  assert.equal(answer.access_token, undefined);
  return answer;
}
