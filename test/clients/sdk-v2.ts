import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { type Connection, type ConnectOptions, type SdkClient, signingIn, textOf } from './sdk-client.ts';

/** `@modelcontextprotocol/client` 2.x: asks for the modern era first, or is told to speak the old one. */
export const sdkV2 = (era: 'legacy' | 'modern'): SdkClient => ({
  label: `SDK v2, ${era}`,
  era,
  async connect(options) {
    let transport = createTransport(options);
    const redeem = async () =>
      transport.finishAuth(options.provider?.takeCallback() ?? new URLSearchParams());
    const client = await signingIn(
      async () => {
        const fresh = createClient(options, era);
        transport = createTransport(options);
        await fresh.connect(transport);
        return fresh;
      },
      asksForSignIn,
      redeem,
    );
    return connection(client, transport, (run) => signingIn(run, asksForSignIn, redeem));
  },
});

const asksForSignIn = (error: unknown) => error instanceof UnauthorizedError;

function createTransport({ url, token, provider }: ConnectOptions): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(new URL(url), {
    ...(provider ? { authProvider: provider } : {}),
    ...(token === undefined ? {} : { authProvider: { token: async () => token } }),
    reconnectionOptions: {
      initialReconnectionDelay: 50,
      maxReconnectionDelay: 200,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 2,
    },
  });
}

function createClient(
  { elicit, sample, roots, onNotification }: ConnectOptions,
  era: 'legacy' | 'modern',
): Client {
  const client = new Client(
    { name: 'sdk-v2', version: '1.0.0' },
    {
      capabilities: {
        ...(elicit ? { elicitation: {} } : {}),
        ...(sample ? { sampling: {} } : {}),
        ...(roots ? { roots: {} } : {}),
      },
      versionNegotiation: { mode: era === 'modern' ? 'auto' : 'legacy' },
    },
  );
  if (elicit)
    client.setRequestHandler('elicitation/create', ({ params }) => ({
      action: 'accept',
      content: elicit(params.message),
    }));
  if (sample)
    client.setRequestHandler('sampling/createMessage', ({ params }) => ({
      role: 'assistant',
      model: 'test',
      content: { type: 'text', text: sample(JSON.stringify(params.messages[0]?.content)) },
    }));
  if (roots) client.setRequestHandler('roots/list', () => ({ roots: roots.map((uri) => ({ uri })) }));
  if (onNotification)
    client.fallbackNotificationHandler = async (notification) => onNotification(notification.method);
  return client;
}

type Retry = <T>(run: () => Promise<T>) => Promise<T>;

function connection(client: Client, transport: StreamableHTTPClientTransport, retry: Retry): Connection {
  return {
    get revision() {
      return client.getNegotiatedProtocolVersion();
    },
    get session() {
      return transport.sessionId;
    },
    tools: async () => (await retry(() => client.listTools())).tools.map((tool) => tool.name),
    call: async (name, args = {}, { onProgress, signal } = {}) =>
      textOf(
        await retry(() =>
          client.callTool(
            { name, arguments: args },
            {
              ...(onProgress ? { onprogress: ({ progress }) => onProgress(progress) } : {}),
              ...(signal ? { signal } : {}),
            },
          ),
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
    watch: async (uri) => {
      if (client.getNegotiatedProtocolVersion() === '2026-07-28')
        await retry(() => client.listen({ resourceSubscriptions: [uri], toolsListChanged: true }));
      else await retry(() => client.subscribeResource({ uri }));
    },
    terminate: () => transport.terminateSession(),
    close: () => client.close(),
  };
}
