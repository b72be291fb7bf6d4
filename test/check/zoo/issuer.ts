import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthorization } from '../vulnerable/authorization.ts';
import { createIssuer, type Issuer } from '../vulnerable/issuer.ts';
import { createLimits } from '../vulnerable/limits.ts';

export interface ZooIssuer extends Issuer {
  close(): Promise<void>;
}

/** A sound authorization server for servers that bring none. */
export async function startIssuer(resource: string): Promise<ZooIssuer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = await createIssuer(origin, new Set(), resource);
  const authorization = createAuthorization(issuer, createLimits(), new Set());
  server.on('request', async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    const body = await bodyOf(request);
    const answer = await authorization({
      method: request.method ?? 'GET',
      path: pathname,
      query: searchParams,
      body,
      origin,
    });
    const headers = { 'content-type': 'application/json', ...answer?.headers };
    response.writeHead(answer?.status ?? 404, headers).end(JSON.stringify(answer?.body ?? {}));
  });
  return {
    ...issuer,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
