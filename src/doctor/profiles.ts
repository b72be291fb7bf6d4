/** The first request of a client, sent without a token: the one of 2025, or the one of 2026-07-28. */
export type Opening = 'initialize' | 'discover';

/** Where resource metadata is looked for: what the 401 says, the well-known URL with the path, the one without (RFC 9728 section 3). */
export type ResourceMetadataPlace = 'challenge' | 'path' | 'root';

/** Where an issuer's metadata is looked for: RFC 8414 section 3.1, OpenID Connect Discovery section 4. */
export type ServerMetadataPlace = 'oauth' | 'openid' | 'openid-appended';

/** How a client makes itself known; `metadata-none` and `metadata-key` are CIMD with that `token_endpoint_auth_methods_supported`. */
export type Registration = 'metadata-none' | 'metadata-key' | 'dynamic';

export type Wish = 'scope-in-challenge' | 'scopes-in-server-metadata' | 'in-ten-seconds' | 'cross-origin';

/** What a client fetches, in order, and what it needs to find. */
export interface ClientProfile {
  readonly id: string;
  readonly name: string;
  readonly opens: readonly Opening[];
  readonly resourceMetadata: readonly ResourceMetadataPlace[];
  /** Without resource metadata: gives up, or takes the server's origin for its authorization server (MCP 2025-03-26). */
  readonly withoutResourceMetadata: 'stop' | 'origin';
  /** How `resource` must compare to what was typed: character for character, but for one slash at the end, or as its beginning. */
  readonly resource: 'exact' | 'slash' | 'prefix';
  readonly serverMetadata: readonly ServerMetadataPlace[];
  /** The first that is advertised is used. */
  readonly registration: readonly Registration[];
  readonly wishes: readonly Wish[];
  /** A vendor's cloud reaches public https alone. */
  readonly calls: 'from a cloud' | 'from here';
}

const everywhere = ['challenge', 'path', 'root'] as const;
const sdkServerMetadata = ['oauth', 'openid', 'openid-appended'] as const;

/** Clients as they behaved in November 2026; sources and doubts in docs/clients.md. */
export const clientProfiles: readonly ClientProfile[] = [
  {
    id: 'claude',
    name: 'claude.ai, Claude Desktop',
    opens: ['initialize'],
    resourceMetadata: ['challenge', 'path'],
    withoutResourceMetadata: 'stop',
    resource: 'exact',
    serverMetadata: sdkServerMetadata,
    registration: ['metadata-none', 'dynamic'],
    wishes: ['scope-in-challenge', 'in-ten-seconds'],
    calls: 'from a cloud',
  },
  {
    id: 'claude-code',
    name: 'Claude Code',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['metadata-none', 'dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'chatgpt',
    name: 'ChatGPT',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'stop',
    resource: 'slash',
    serverMetadata: sdkServerMetadata,
    registration: ['metadata-key', 'dynamic'],
    wishes: ['scope-in-challenge'],
    calls: 'from a cloud',
  },
  {
    id: 'vscode',
    name: 'VS Code, Copilot',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'stop',
    resource: 'exact',
    serverMetadata: sdkServerMetadata,
    registration: ['metadata-none', 'dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'codex',
    name: 'Codex',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'slash',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: ['scopes-in-server-metadata'],
    calls: 'from here',
  },
  {
    id: 'gemini-cli',
    name: 'gemini-cli, Antigravity',
    opens: ['initialize'],
    resourceMetadata: ['path'],
    withoutResourceMetadata: 'stop',
    resource: 'slash',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'cursor',
    name: 'Cursor',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'mcp-remote',
    name: 'mcp-remote',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['metadata-none', 'dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'inspector',
    name: 'Inspector',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: ['cross-origin'],
    calls: 'from here',
  },
  {
    id: 'sdk-v1',
    name: 'official SDK 1.x',
    opens: ['initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: [],
    calls: 'from here',
  },
  {
    id: 'sdk-v2',
    name: 'official SDK 2.x',
    opens: ['discover', 'initialize'],
    resourceMetadata: everywhere,
    withoutResourceMetadata: 'origin',
    resource: 'prefix',
    serverMetadata: sdkServerMetadata,
    registration: ['dynamic'],
    wishes: [],
    calls: 'from here',
  },
];
