import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An issuer that can be asked about tokens; it answers as the test says. */
export interface IntrospectionEndpoint {
  readonly issuer: string;
  readonly url: string;
  readonly asked: {
    readonly token: string;
    readonly form: URLSearchParams;
    readonly headers: IncomingHttpHeaders;
  }[];
  /** Claims of an active token, null for an inactive one, or how to misbehave. */
  answer: (
    token: string,
  ) => Record<string, unknown> | null | Misbehaviour | Promise<Record<string, unknown> | null>;
  close(): Promise<void>;
}

export interface Misbehaviour {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

export async function startIntrospectionEndpoint(
  metadata: Record<string, unknown> = {},
): Promise<IntrospectionEndpoint> {
  const asked: IntrospectionEndpoint['asked'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      if (request.url?.startsWith('/.well-known/oauth-authorization-server')) {
        response.setHeader('content-type', 'application/json');
        const document = { issuer: endpoint.issuer, introspection_endpoint: endpoint.url, ...metadata };
        response.end(JSON.stringify(document));
        return;
      }
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const token = form.get('token') ?? '';
      asked.push({ token, form, headers: request.headers });
      const answer = await endpoint.answer(token);
      if (answer !== null && 'status' in answer && 'body' in answer) {
        const { status, body, type = 'application/json' } = answer as Misbehaviour;
        response.writeHead(status, { 'content-type': type }).end(body);
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer === null ? { active: false } : { active: true, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoint: IntrospectionEndpoint = {
    issuer,
    url: `${issuer}/introspect`,
    asked,
    answer: () => null,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return endpoint;
}
