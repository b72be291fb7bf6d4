import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { Faults } from './faults.ts';

/** What a test asks for in a token; everything else is as it should be. */
export interface TokenWishes {
  readonly subject?: string;
  readonly clientId?: string;
  readonly scope?: string;
  /** Null: none. */
  readonly audience?: string | readonly string[] | null;
  readonly issuer?: string;
  readonly lifetimeSeconds?: number;
  readonly typ?: string;
  /** Signed by a key that nobody knows, or by one of an issuer that is not ours. */
  readonly key?: 'ours' | 'other-issuer';
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Keys, clients, codes and tokens of the authorization server that stands beside the vulnerable server. */
export interface Issuer {
  readonly url: string;
  readonly resource: string;
  readonly jwks: { readonly keys: readonly JWK[] };
  readonly clients: Map<string, RegisteredClient>;
  mint(wishes?: TokenWishes): Promise<string>;
  /** Whether a token was minted here whose header and payload are these. */
  minted(signingInput: string): boolean;
  trustedKeys(foreignToo: boolean): readonly JWK[];
  /** What people have used as an HMAC secret: the public key, in its usual forms. */
  publicKeyForms(): readonly string[];
  issueCode(grant: CodeGrant): string;
  /** The tokens for a code or refresh token; null when it is not good. */
  redeem(form: URLSearchParams): Promise<Tokens | null>;
  revoke(token: string): void;
  isRevoked(jti: string): boolean;
}

export interface RegisteredClient {
  readonly redirectUris: readonly string[];
}

export interface CodeGrant {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string | null;
  readonly scope: string;
  readonly resource: string;
  readonly subject: string;
}

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
  readonly scope: string;
}

/** @param resource what its tokens are for; `/mcp` at the same origin unless given */
export async function createIssuer(url: string, faults: Faults, resource = `${url}/mcp`): Promise<Issuer> {
  const [own, foreign] = [await newKey(), await newKey()];
  const clients = new Map<string, RegisteredClient>();
  const [codes, refreshes] = [new Map<string, CodeGrant>(), new Map<string, CodeGrant>()];
  const [minted, revoked, idOf] = [new Set<string>(), new Set<string>(), new Map<string, string>()];
  const lifetime = faults.has('long-lived') ? 86_400 : 900;

  const mint = async (wishes: TokenWishes = {}): Promise<string> => {
    const key = wishes.key === 'other-issuer' ? foreign : own;
    const jti = randomUUID();
    const now = Math.floor(Date.now() / 1000);
    const audience = wishes.audience === undefined ? resource : wishes.audience;
    const claims: JWTPayload = {
      iss: wishes.issuer ?? url,
      sub: wishes.subject ?? 'alice',
      client_id: wishes.clientId ?? 'check',
      scope: wishes.scope ?? 'mcp:tools:read mcp:tools:write mcp:tools:admin',
      ...(audience === null ? {} : { aud: audience as string | string[] }),
      iat: now,
      exp: now + (wishes.lifetimeSeconds ?? lifetime),
      jti,
      ...wishes.claims,
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: wishes.typ ?? 'at+jwt', kid: String(key.jwk.kid) })
      .sign(key.privateKey);
    minted.add(token.slice(0, token.lastIndexOf('.')));
    idOf.set(token, jti);
    return token;
  };

  const issue = async (grant: CodeGrant): Promise<Tokens> => {
    const { subject, clientId, scope } = grant;
    const refreshToken = randomUUID();
    refreshes.set(refreshToken, grant);
    return {
      accessToken: await mint({ subject, clientId, scope, audience: grant.resource }),
      refreshToken,
      expiresIn: lifetime,
      scope,
    };
  };

  const grantOf = (form: URLSearchParams): CodeGrant | null => {
    const isRefresh = form.get('grant_type') === 'refresh_token';
    const [store, name] = isRefresh ? [refreshes, 'refresh_token'] : [codes, 'code'];
    const grant = store.get(form.get(name) ?? '');
    store.delete(form.get(name) ?? '');
    if (!grant || grant.clientId !== form.get('client_id')) return null;
    // RFC 8707 section 2.2: each refresh may ask for another server.
    if (isRefresh) return { ...grant, resource: form.get('resource') ?? grant.resource };
    if (grant.redirectUri !== form.get('redirect_uri')) return null;
    const verifier = form.get('code_verifier') ?? '';
    const matches = createHash('sha256').update(verifier).digest('base64url') === grant.challenge;
    return matches || (grant.challenge === null && faults.has('pkce-optional')) ? grant : null;
  };

  return {
    url,
    resource,
    jwks: { keys: [own.jwk] },
    clients,
    mint,
    minted: (signingInput) => minted.has(signingInput),
    trustedKeys: (foreignToo) => (foreignToo ? [own.jwk, foreign.jwk] : [own.jwk]),
    publicKeyForms: () => {
      const pem = String(
        createPublicKey({ key: own.jwk, format: 'jwk' }).export({
          type: 'spki',
          format: 'pem',
        }),
      );
      return [pem, pem.trimEnd(), JSON.stringify(own.jwk)];
    },
    issueCode(grant) {
      const code = randomUUID();
      codes.set(code, grant);
      return code;
    },
    async redeem(form) {
      const grant = grantOf(form);
      return grant ? issue(grant) : null;
    },
    revoke(token) {
      const jti = idOf.get(token);
      if (jti !== undefined && !faults.has('revocation-ignored')) revoked.add(jti);
      refreshes.delete(token);
    },
    isRevoked: (jti) => revoked.has(jti),
  };
}

async function newKey() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk: { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'ES256', use: 'sig' } };
}
