import type { Secret } from '../../base/index.ts';
import type { NamedSecret } from '../evidence.ts';

/**
 * Tokens by what is right or wrong with them. `read-only`, `other-principal` and `refreshed` are good ones, of the same server;
 * `revocable` is a good one that is given up. All others must be refused.
 */
export const tokenNames = [
  'good',
  'read-only',
  'other-principal',
  'revocable',
  'expired',
  'not-yet-valid',
  'other-issuer',
  'wrong-audience',
  'sibling-resource',
  'no-audience',
  'multiple-audience',
  'id-token',
] as const;
export type TokenName = (typeof tokenNames)[number];

/** What the person gave. Every credential in it is guarded by the door. */
export interface TokenSet {
  readonly tokens: Readonly<Partial<Record<TokenName, NamedSecret>>>;
  /** Whose tokens they are: refresh and revocation go there and nowhere else. */
  readonly issuer: string | null;
  readonly client: TokenClient | null;
  /** Of the good token's grant. */
  readonly refreshToken: NamedSecret | null;
  /** The good token was made for this run: it may be revoked at the end. */
  readonly disposable: boolean;
  /** Why one is not at hand, where that is known. */
  readonly unavailable?: Readonly<Partial<Record<TokenName, string>>>;
}

export interface TokenClient {
  readonly id: string;
  readonly secret: Secret | null;
  readonly redirectUri: string | null;
}

export const noTokens: TokenSet = {
  tokens: {},
  issuer: null,
  client: null,
  refreshToken: null,
  disposable: false,
};

/** All credentials in it. */
export function secretsOf(set: TokenSet): NamedSecret[] {
  return [
    ...tokenNames.map((name) => set.tokens[name]),
    set.refreshToken,
    set.client?.secret ? { name: 'client secret', secret: set.client.secret } : null,
  ].filter((one) => one !== undefined && one !== null);
}
