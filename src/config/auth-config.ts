import type { Secret } from '../base/index.ts';

export interface AuthConfig {
  /** Who may come without a token, and until when; null: nobody, which is how it should be. */
  readonly observe: {
    readonly until: string;
    readonly untilMs: number;
    readonly from: readonly string[];
  } | null;
  /** Of the credentials that people connected, newest first; 32 bytes in base64 each. Empty where nobody can connect. */
  readonly vaultKeys: readonly Secret[];
  /** Null when `issuers` replace it. */
  readonly embedded: EmbeddedAuthConfig | null;
  readonly issuers: readonly IssuerConfig[];
  /** A token that was revoked, by whatever process, works nowhere after this time. */
  readonly revocation: { readonly withinSeconds: number };
  /** Scopes named in the resource metadata: the baseline, or all for clients that cannot step up. */
  readonly scopesAdvertised: 'minimal' | 'all';
}

/** Host names, `*.example.com` for every host below one, or `*`. `deny` goes first. */
export interface HostPolicy {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface EmbeddedAuthConfig {
  readonly accessTokenMinutes: number;
  readonly refreshTokenDays: number;
  /** What the sign-in page offers. `passkey` only beside `password`. */
  readonly signIn: readonly SignInMethod[];
  /** `denyList`: absolute path of a file of passwords that nobody may choose. */
  readonly passwords: { readonly denyList: string | null };
  /** Not null where `signIn` has `oidc`. */
  readonly oidc: IdentityProviderConfig | null;
  /** Whether tokens are bound to a key of the client (RFC 9449). */
  readonly dpop: 'off' | 'allowed' | 'required';
  readonly clients: {
    readonly metadataDocuments: boolean | HostPolicy;
    /** Null: switched off. */
    readonly dynamicRegistration: {
      readonly maxPerHour: number;
      readonly maxPerHourAndAddress: number;
      readonly unusedDays: number;
    } | null;
    /** Without the colon: `cursor`. */
    readonly redirectSchemes: readonly string[];
  };
  readonly machines: MachinesConfig;
}

/** Clients that the operator registers, and who vouches for people at them. */
export interface MachinesConfig {
  readonly clients: readonly RegisteredClientConfig[];
  readonly enterprise: readonly EnterpriseIssuerConfig[];
}

export interface RegisteredClientConfig {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** At most one of these three is set; none for a client that cannot keep a secret. */
  readonly secret: Secret | null;
  /** Public keys. */
  readonly jwks: readonly Readonly<Record<string, unknown>>[] | null;
  readonly jwksUri: string | null;
  readonly grants: readonly ('authorization_code' | 'client_credentials' | 'jwt_bearer' | 'token_exchange')[];
  readonly redirectUris: readonly string[];
  /** The most that its tokens may hold, whoever they are for. */
  readonly scopes: readonly string[];
  /** Names of the servers that it gets tokens for; null: all. */
  readonly servers: readonly string[] | null;
  readonly organization: string;
}

/** An identity provider whose assertion grants (ID-JAG) stand for people. */
export interface EnterpriseIssuerConfig {
  readonly issuer: string;
  /** Where the keys are; null: read from the issuer's metadata. */
  readonly jwksUri: string | null;
  /** Exact; null: our issuer. */
  readonly audience: string | null;
  /** Registered clients that may present its assertions. */
  readonly clientIds: readonly string[];
  readonly algorithms: readonly string[];
  readonly claims: { readonly organization: string | null };
}

export type SignInMethod = 'password' | 'passkey' | 'oidc';

/** Where people sign in instead of here: an OpenID Connect provider. */
export interface IdentityProviderConfig {
  readonly issuer: string;
  /** For people. */
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Null: `openid profile`, and `offline_access` where the provider offers it. */
  readonly scopes: readonly string[] | null;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly claims: { readonly name: string; readonly groups: string; readonly organization: string | null };
  /** Members are administrators here; nobody when empty. */
  readonly adminGroups: readonly string[];
  /** Both must hold where both are given; null asks for nothing. */
  readonly allow: { readonly domains: readonly string[] | null; readonly groups: readonly string[] | null };
  /** How old the provider's word on an account may be before it is asked again. */
  readonly recheckMinutes: number;
}

export interface IssuerConfig {
  readonly issuer: string;
  /** Where the keys are; null: read from the issuer's metadata. */
  readonly jwksUri: string | null;
  /** Exact strings; never empty. Null only where `clientIds` is not: a weaker binding. */
  readonly audience: readonly string[] | null;
  readonly audienceClaim: string;
  /** Whether every audience of a token must be ours. */
  readonly exclusiveAudience: boolean;
  /** Clients whose tokens are accepted; null: anyone's. */
  readonly clientIds: readonly string[] | null;
  readonly algorithms: readonly string[];
  /** Accepted `typ` headers, lower-case, without `application/`; `jwt` covers issuers that mint plain JWTs. */
  readonly typ: readonly string[];
  readonly verify: 'jwt' | 'introspection' | 'both';
  /** Null where `verify` is `jwt`. */
  readonly introspection: IntrospectionConfig | null;
  readonly claims: {
    readonly scopes: readonly string[];
    readonly subject: string;
    /** Null: `client_id`, else `azp`. */
    readonly client: string | null;
    readonly organization: string | null;
  };
  /** Claims that must hold a value. */
  readonly required: Readonly<Record<string, string>>;
}

export interface IntrospectionConfig {
  /** Null: read from the issuer's metadata. */
  readonly endpoint: string | null;
  readonly clientId: string;
  /** One of the two is set. */
  readonly clientSecret: Secret | null;
  /** PEM or JWK. */
  readonly privateKey: Secret | null;
  /** Whether tokens that are no JWT are of this issuer; true for one at most. */
  readonly takesOpaque: boolean;
}
