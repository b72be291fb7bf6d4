import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { z } from 'zod';
import { startIssuer } from './issuer.ts';
import { freePort } from './program.ts';
import type { ZooServer } from './server.ts';

/** Express and the official SDK (version 1) with `requireBearerAuth`, as the SDK's documentation puts them together. */
export async function startExpress(): Promise<ZooServer> {
  const url = `http://127.0.0.1:${await freePort()}/mcp`;
  const issuer = await startIssuer(url);
  const key = createLocalJWKSet({ keys: [...issuer.jwks.keys] });
  const verifier = {
    async verifyAccessToken(token: string) {
      const { payload } = await jwtVerify(token, key, { issuer: issuer.url, audience: url }).catch(() => {
        throw new InvalidTokenError('the token is not valid');
      });
      const scopes = String(payload['scope'] ?? '').split(' ');
      const resource = new URL(url);
      return { token, clientId: String(payload['client_id']), scopes, expiresAt: payload.exp ?? 0, resource };
    },
  };
  const app = express();
  const metadata = (await (
    await fetch(`${issuer.url}/.well-known/oauth-authorization-server`)
  ).json()) as never;
  app.use(
    mcpAuthMetadataRouter({
      oauthMetadata: metadata,
      resourceServerUrl: new URL(url),
      scopesSupported: ['mcp:tools:read'],
    }),
  );
  const resourceMetadataUrl = new URL('/.well-known/oauth-protected-resource/mcp', url).href;
  app.use('/mcp', requireBearerAuth({ verifier, requiredScopes: ['mcp:tools:read'], resourceMetadataUrl }));
  app.use(express.json());
  app.all('/mcp', async (request, response) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    response.on('close', () => void transport.close());
    await notes().connect(transport as never);
    await transport.handleRequest(request, response, request.body);
  });
  const server = app.listen(Number(new URL(url).port), '127.0.0.1');
  await once(server, 'listening');
  void (server.address() as AddressInfo);
  return {
    name: 'express',
    url,
    mint: issuer.mint,
    async close() {
      server.closeAllConnections();
      server.close();
      await Promise.all([once(server, 'close'), issuer.close()]);
    },
  };
}

function notes(): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  const id = { id: z.string() };
  const done = () => ({ content: [{ type: 'text' as const, text: 'done' }] });
  server.registerTool(
    'read_note',
    { description: 'Gives one note', inputSchema: id, annotations: { readOnlyHint: true } },
    done,
  );
  server.registerTool(
    'delete_note',
    { description: 'Deletes one note', inputSchema: id, annotations: { destructiveHint: true } },
    done,
  );
  return server;
}
