import { alice } from '../authorization-server/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { generousLimits, startTestGateway, type TestGateway } from './gateway.ts';

export interface ReplayGateway {
  readonly gateway: TestGateway;
  readonly fixture: FixtureServer;
  readonly url: string;
  /** Documents that client hosts would serve, by URL. */
  readonly documents: Map<string, object>;
  /** URLs that were fetched of them, in order. */
  readonly fetched: string[];
  close(): Promise<void>;
}

export interface ReplayOptions {
  readonly auth?: Record<string, unknown>;
  /** What the server behind speaks. */
  readonly era?: 'legacy' | 'both';
}

/** A gateway with its own authorization server, in front of a server with tools that read, write and delete. */
export async function startReplayGateway({
  auth = {},
  era = 'both',
}: ReplayOptions = {}): Promise<ReplayGateway> {
  const documents = new Map<string, object>();
  const fetched: string[] = [];
  const fixture = await startFixtureServer({ era });
  const gateway = await startTestGateway({
    accounts: [{ ...alice, role: 'admin' }],
    config: {
      servers: { only: { path: '/mcp', upstream: { url: fixture.url } } },
      limits: generousLimits,
      auth,
      tools: [
        { match: 'delete_*', scope: 'mcp:tools:admin' },
        { match: '*', hint: 'readOnly', scope: 'mcp:tools:read' },
        { match: '*', scope: 'mcp:tools:write' },
      ],
    },
    clientMetadataFetch: (async (url) => {
      fetched.push(String(url));
      const document = documents.get(String(url));
      return document ? Response.json(document) : new Response(null, { status: 404 });
    }) as typeof fetch,
  });
  return {
    gateway,
    fixture,
    url: gateway.servers[0]?.url ?? '',
    documents,
    fetched,
    async close() {
      await gateway.close();
      await fixture.close();
    },
  };
}
