import { createHash, randomBytes } from 'node:crypto';
import { Secret } from '../../../src/base/index.ts';
import type { TokenName, TokenSet } from '../../../src/check/index.ts';
import type { TokenWishes } from './issuer.ts';
import type { VulnerableServer } from './server.ts';

/** Whatever has an endpoint, and an issuer in our hand. */
type Minting = Pick<VulnerableServer, 'url' | 'mint'>;

const redirectUri = 'http://127.0.0.1:9/callback';
const everything = 'mcp:tools:read mcp:tools:write mcp:tools:admin';

/** What is wished for each token that `check` can make use of, but for the good one. */
function wishes(server: Minting): Readonly<Partial<Record<TokenName, TokenWishes>>> {
  const { origin } = new URL(server.url);
  return {
    'read-only': { scope: 'mcp:tools:read', subject: 'carol' },
    'other-principal': { subject: 'bob', clientId: 'other' },
    revocable: { subject: 'dave' },
    expired: { lifetimeSeconds: -600 },
    'not-yet-valid': { claims: { nbf: Math.floor(Date.now() / 1000) + 3600 } },
    'other-issuer': { issuer: 'https://issuer.example', key: 'other-issuer' },
    'wrong-audience': { audience: 'https://elsewhere.example/mcp' },
    'sibling-resource': { audience: `${origin}/other/mcp` },
    'no-audience': { audience: null },
    'multiple-audience': { audience: [server.url, 'https://elsewhere.example/mcp'] },
    'id-token': { typ: 'JWT', audience: 'check', claims: { nonce: 'n', email: 'alice@example.com' } },
  };
}

/** A token of each kind, none by a sign-in. */
export async function mintedTokens(server: Minting): Promise<TokenSet['tokens']> {
  const all: [TokenName, TokenWishes][] = [
    ['good', {}],
    ...(Object.entries(wishes(server)) as [TokenName, TokenWishes][]),
  ];
  const tokens: Partial<Record<TokenName, { name: string; secret: Secret }>> = {};
  for (const [name, wish] of all) tokens[name] = { name, secret: new Secret(await server.mint(wish)) };
  return tokens;
}

/** All of them, the good one by a sign-in, so that it can be refreshed and revoked. */
export async function fullTokenSet(server: VulnerableServer): Promise<TokenSet> {
  const { origin } = new URL(server.url);
  const client = await register(origin);
  const signedIn = client === null ? null : await signIn(server, client);
  const named = (name: string, token: string) => ({ name, secret: new Secret(token) });
  const minted = await mintedTokens(server);
  return {
    tokens: signedIn ? { ...minted, good: named('good', signedIn.access_token) } : minted,
    issuer: origin,
    client: client === null ? null : { id: client, secret: null, redirectUri },
    refreshToken: signedIn ? named('refresh token', signedIn.refresh_token) : null,
    disposable: true,
  };
}

async function register(origin: string): Promise<string | null> {
  const response = await fetch(`${origin}/register`, {
    method: 'POST',
    body: JSON.stringify({ redirect_uris: [redirectUri] }),
  });
  return response.ok ? ((await response.json()) as { client_id: string }).client_id : null;
}

async function signIn(server: VulnerableServer, clientId: string) {
  const { origin } = new URL(server.url);
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: everything,
    resource: server.url,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const sent = await fetch(`${origin}/authorize?${query}`, { redirect: 'manual' });
  const code = new URL(sent.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, client_id: clientId };
  const response = await fetch(`${origin}/token`, {
    method: 'POST',
    body: new URLSearchParams({ ...form, code_verifier: verifier }),
  });
  return (await response.json()) as { access_token: string; refresh_token: string };
}
