import type { NamedSecret } from '../evidence.ts';

/** Tokens by what is right or wrong with them. All but `good` and those of other principals must be refused. */
export const tokenNames = [
  'good',
  'read-only',
  'other-principal',
  'other-client',
  'refreshed',
  'expired',
  'not-yet-valid',
  'other-issuer',
  'wrong-audience',
  'no-audience',
  'multiple-audience',
  'sibling-resource',
  'id-token',
  'revoked',
] as const;
export type TokenName = (typeof tokenNames)[number];

/** What the person gave. Every credential in it is guarded by the door. */
export interface TokenSet {
  readonly tokens: Readonly<Partial<Record<TokenName, NamedSecret>>>;
  /** Of a registered client, for the rows that begin a sign-in. */
  readonly client: { readonly id: string; readonly redirectUri: string } | null;
  readonly refresh: RefreshAccess | null;
  /** Revokes the token called `revocable` somehow; null where nobody can. */
  readonly revoke: RevokeAccess | null;
}

export interface RefreshAccess {
  /** Gives a new token for the same grant. */
  refresh(): Promise<NamedSecret>;
}

export interface RevokeAccess {
  /** A good token that is given up for this. */
  readonly token: NamedSecret;
  revoke(): Promise<void>;
}

export const noTokens: TokenSet = { tokens: {}, client: null, refresh: null, revoke: null };

/** All credentials in it. */
export function secretsOf(set: TokenSet): NamedSecret[] {
  return [
    ...tokenNames.map((name) => set.tokens[name]).filter((token) => token !== undefined),
    ...(set.revoke ? [set.revoke.token] : []),
  ];
}
