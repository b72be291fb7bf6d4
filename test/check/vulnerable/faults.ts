/**
 * What can be made wrong with the vulnerable server, one switch each. Without any it is sound, so a row of `check` that fails
 * names the fault that was switched on, or it is a false alarm.
 */
export interface Fault {
  /** Rows of `check` that must fail, and no others. */
  readonly rows: readonly string[];
  /** What somebody got wrong. */
  readonly mistake: string;
}

export const faults = {
  'list-open': { rows: ['A01'], mistake: 'tools/list needs no token' },
  'call-open': { rows: ['A01'], mistake: 'tools/call needs no token' },
  'alias-open': { rows: ['A02'], mistake: 'the bearer check covers /mcp and not /sse' },
  'no-challenge': { rows: ['A03', 'T01'], mistake: '401 without WWW-Authenticate' },
  'relative-metadata': { rows: ['A03', 'A05'], mistake: 'resource_metadata is a path, not a URL' },
  'challenge-without-scope': { rows: ['A04'], mistake: 'the challenge names no scope' },
  'one-metadata-path': { rows: ['A05'], mistake: 'metadata at the root path only' },
  'foreign-resource': { rows: ['A06'], mistake: 'metadata names another URL than the one probed' },
  'issuer-differs': { rows: ['A07'], mistake: 'the issuer in the metadata is not the one that was asked' },
  'no-s256': { rows: ['A08'], mistake: 'S256 is not advertised' },
  'no-registration': { rows: ['A09'], mistake: 'no way for a client to register' },
  'token-response-type': { rows: ['A10'], mistake: 'the implicit grant is advertised' },
  'offline-access-advertised': { rows: ['A11'], mistake: 'offline_access in scopes_supported' },
  'pkce-optional': { rows: ['A12'], mistake: 'authorization without code_challenge goes on' },
  'redirect-prefix': { rows: ['A13'], mistake: 'redirect_uri is compared by prefix' },
  'register-anything': { rows: ['A14'], mistake: 'registration takes javascript: and http:// redirects' },
  'register-unlimited': { rows: ['A15'], mistake: 'registration has no limit' },
  'garbage-crashes': { rows: ['T01'], mistake: 'a token that looks like a JWT and is none answers 500' },
  'garbage-accepted': { rows: ['T01'], mistake: 'an unreadable token falls back to a default caller' },
  'alg-none': { rows: ['T02'], mistake: 'unsigned tokens are accepted' },
  'embedded-jwk': { rows: ['T03'], mistake: 'the key is taken from the token' },
  'hmac-public-key': { rows: ['T04'], mistake: 'HS256 with the public key as secret' },
  'signature-unread': {
    rows: ['T05'],
    mistake: 'a token that was seen before is accepted with any signature',
  },
  'token-in-query': { rows: ['T06'], mistake: '?access_token= is accepted' },
  'expired-accepted': { rows: ['T07'], mistake: 'exp is not checked' },
  'any-audience': { rows: ['T08'], mistake: 'aud is not compared' },
  'missing-audience': { rows: ['T13'], mistake: 'aud may be missing' },
  'one-audience-of-many': { rows: ['T14'], mistake: 'a token for us and others is accepted' },
  'sibling-audience': { rows: ['T16'], mistake: 'a token for another path of this origin is accepted' },
  'not-before-ignored': { rows: ['T17'], mistake: 'nbf is not checked' },
  'internal-header': { rows: ['A16'], mistake: 'X-Forwarded-User says who calls' },
  'any-issuer': { rows: ['T12'], mistake: 'iss is not compared' },
  'id-token': { rows: ['T15'], mistake: 'ID tokens are accepted' },
  'long-lived': { rows: ['T09'], mistake: 'access tokens live for a day' },
  'two-authorizations': { rows: ['T10'], mistake: 'of two Authorization headers one is taken' },
  'revocation-ignored': { rows: ['T11'], mistake: 'revoked tokens go on' },
  'no-scope-check': { rows: ['S01', 'S03'], mistake: 'any token calls any tool it sees' },
  'scope-refusal-bare': { rows: ['S01'], mistake: '403 without a challenge' },
  'one-list-for-all': { rows: ['S02'], mistake: 'tools/list does not depend on scopes' },
  'hidden-callable': { rows: ['S03'], mistake: 'hidden tools can be called' },
  'unknown-tool-tells': { rows: ['S04'], mistake: 'an unknown tool is answered as if it were forbidden' },
  'any-origin': { rows: ['H01'], mistake: 'Origin is not validated' },
  'any-host': { rows: ['H02'], mistake: 'URLs in the metadata come from the Host header' },
  'headers-unchecked': { rows: ['H03'], mistake: 'Mcp-Method and Mcp-Name need not agree with the body' },
  'duplicate-keys': { rows: ['H04'], mistake: 'the last of two equal keys wins' },
  batches: { rows: ['H04'], mistake: 'batch arrays are executed' },
  'depth-crashes': { rows: ['H04'], mistake: 'deep nesting answers 500' },
  'cors-reflects': { rows: ['H06'], mistake: 'any origin is reflected, with credentials' },
  'session-of-another': { rows: ['H07'], mistake: 'a session id is enough to use a session' },
  'session-guessable': { rows: ['H07'], mistake: 'session ids count up' },
  'any-version': { rows: ['H08'], mistake: 'unknown protocol versions are served' },
  'open-paths': { rows: ['H09'], mistake: '/metrics and /config answer anybody' },
  'old-banner': { rows: ['H10'], mistake: 'a version with a known vulnerability' },
  'cache-public': { rows: ['H11'], mistake: 'a filtered list says cacheScope public' },
  'stack-traces': { rows: ['H12'], mistake: 'errors carry a stack trace' },
  'no-limit': { rows: ['L01', 'L02'], mistake: 'no limit' },
  'retry-after-lies': { rows: ['L01'], mistake: 'Retry-After is too short' },
  'no-tool-limit': { rows: ['L02'], mistake: 'every tool has the ceiling of the client' },
  'refresh-resets': { rows: ['L03'], mistake: 'counters belong to the token' },
  'bad-tokens-unlimited': { rows: ['L04'], mistake: 'bad tokens are not limited' },
  'schemas-missing': { rows: ['D01'], mistake: 'a tool without description and schema' },
  'hints-lie': { rows: ['D02'], mistake: 'delete_note says that it only reads' },
  'poisoned-description': { rows: ['D03'], mistake: 'a description with instructions to the model' },
  'invisible-text': { rows: ['D03'], mistake: 'invisible characters in a description' },
  'secret-in-header': { rows: ['D05'], mistake: 'x-mcp-header on a parameter that holds a secret' },
  'destructive-unheld': { rows: ['E01'], mistake: 'a destructive call is executed at once' },
  'state-unbound': { rows: ['E02'], mistake: 'an approval is good for other arguments and other people' },
  'denials-unlogged': { rows: ['P01', 'P03', 'P04'], mistake: 'refused calls leave no record' },
  'token-logged': { rows: ['P02'], mistake: 'the log holds the Authorization header' },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof faults;
export type Faults = ReadonlySet<FaultName>;
