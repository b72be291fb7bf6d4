/** An identity provider, by the host of its issuer, and what it takes to put it in front of MCP clients. */
export interface KnownProvider {
  readonly name: string;
  readonly hint: string;
}

interface Row extends KnownProvider {
  readonly issuer: RegExp;
}

/** As of November 2026; docs/identity-providers.md has the configuration of each. */
const rows: readonly Row[] = [
  {
    name: 'Microsoft Entra ID',
    issuer: /^https:\/\/(login\.microsoftonline\.com|sts\.windows\.net)\//,
    hint: 'It registers no clients and matches `resource` to an Application ID URI, exactly. Take the issuer of one tenant, never `common`; the audience is the app’s client id, scopes are in `scp`. Or sign in there through the embedded authorization server.',
  },
  {
    name: 'Okta',
    issuer: /^https:\/\/[^/]+\.(okta|oktapreview|okta-emea)\.com(\/|$)/,
    hint: 'Make one custom authorization server for each MCP server and set its audience to the MCP URL. Clients cannot register themselves there.',
  },
  {
    name: 'Auth0',
    issuer: /^https:\/\/[^/]+\.auth0\.com\/?$/,
    hint: 'Switch on the Resource Parameter Compatibility Profile and give the API the MCP URL as its identifier. Dynamic registration is a switch of the tenant.',
  },
  {
    name: 'Google',
    issuer: /^https:\/\/accounts\.google\.com\/?$/,
    hint: 'Its access tokens are opaque and name no MCP server; it registers no clients. Sign in there through the embedded authorization server.',
  },
  {
    name: 'GitHub',
    issuer: /^https:\/\/(github\.com|token\.actions\.githubusercontent\.com)(\/|$)/,
    hint: 'Its access tokens are opaque and name no MCP server; it registers no clients. Sign in there through the embedded authorization server.',
  },
  {
    name: 'Amazon Cognito',
    issuer: /^https:\/\/cognito-idp\.[^/]+\.amazonaws\.com\//,
    hint: 'Switch on resource binding of managed login (Essentials or Plus); without it access tokens have no `aud`, and `clientIds` is the weaker binding.',
  },
  {
    name: 'Keycloak',
    issuer: /\/realms\/[^/]+\/?$/,
    hint: 'Add an audience mapper with the MCP URL to a client scope: tokens have no such `aud` by default. The Trusted Hosts policy blocks anonymous registration until it is changed.',
  },
];

/** @param issuer attacker-controlled */
export function recogniseProvider(issuer: string): KnownProvider | null {
  const row = rows.find(({ issuer: pattern }) => pattern.test(issuer.slice(0, 2048)));
  return row ? { name: row.name, hint: row.hint } : null;
}
