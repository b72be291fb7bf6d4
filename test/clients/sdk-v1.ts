import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { type Connection, type ConnectOptions, type SdkClient, signingIn, textOf } from './sdk-client.ts';

/** `@modelcontextprotocol/sdk` 1.x: the 2025 era alone. */
export const sdkV1: SdkClient = {
  label: 'SDK v1',
  era: 'legacy',
  async connect(options) {
    let transport = createTransport(options);
    const redeem = async () => transport.finishAuth(options.provider?.takeCallback().get('code') ?? '');
    const client = await signingIn(
      async () => {
        const fresh = createClient(options);
        transport = createTransport(options);
        await fresh.connect(transport as Transport);
        return fresh;
      },
      asksForSignIn,
      redeem,
    );
    return connection(client, transport, (run) => signingIn(run, asksForSignIn, redeem));
  },
};

const asksForSignIn = (error: unknown) => error instanceof UnauthorizedError;

function createTransport({ url, token, provider }: ConnectOptions): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(new URL(url), {
    ...(provider ? { authProvider: provider } : {}),
    ...(token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
    reconnectionOptions: {
      initialReconnectionDelay: 50,
      maxReconnectionDelay: 200,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 2,
    },
  });
}

function createClient({ elicit, sample, roots, onNotification }: ConnectOptions): Client {
  const client = new Client(
    { name: 'sdk-v1', version: '1.0.0' },
    {
      capabilities: {
        ...(elicit ? { elicitation: {} } : {}),
        ...(sample ? { sampling: {} } : {}),
        ...(roots ? { roots: {} } : {}),
      },
    },
  );
  if (elicit)
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: elicit(params.message),
    }));
  if (sample)
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
      role: 'assistant',
      model: 'test',
      content: { type: 'text', text: sample(JSON.stringify(params.messages[0]?.content)) },
    }));
  if (roots)
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: roots.map((uri) => ({ uri })) }));
  if (onNotification)
    client.fallbackNotificationHandler = async (notification) => onNotification(notification.method);
  return client;
}

type Retry = <T>(run: () => Promise<T>) => Promise<T>;

function connection(client: Client, transport: StreamableHTTPClientTransport, retry: Retry): Connection {
  return {
    get revision() {
      return transport.protocolVersion;
    },
    get session() {
      return transport.sessionId;
    },
    tools: async () => (await retry(() => client.listTools())).tools.map((tool) => tool.name),
    call: async (name, args = {}, { onProgress, signal } = {}) =>
      textOf(
        await retry(() =>
          client.callTool({ name, arguments: args }, undefined, {
            ...(onProgress ? { onprogress: ({ progress }) => onProgress(progress) } : {}),
            ...(signal ? { signal } : {}),
          }),
        ),
      ),
    read: async (uri) => JSON.stringify((await retry(() => client.readResource({ uri }))).contents),
    prompt: async (name, args = {}) =>
      JSON.stringify((await retry(() => client.getPrompt({ name, arguments: args }))).messages),
    complete: async (prompt, name, value) =>
      (
        await retry(() =>
          client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name, value } }),
        )
      ).completion.values,
    watch: async (uri) => void (await retry(() => client.subscribeResource({ uri }))),
    terminate: () => transport.terminateSession(),
    close: () => client.close(),
  };
}
