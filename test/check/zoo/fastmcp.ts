import { FastMCP } from 'fastmcp';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { z } from 'zod';
import { startIssuer } from './issuer.ts';
import { freePort } from './program.ts';
import type { ZooServer } from './server.ts';

/** `fastmcp` with its OAuth options and an `authenticate` that verifies the token, as its documentation shows. */
export async function startFastMcp(): Promise<ZooServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  const issuer = await startIssuer(url);
  const key = createLocalJWKSet({ keys: [...issuer.jwks.keys] });
  const server = new FastMCP({
    name: 'notes',
    version: '1.0.0',
    authenticate: async (request) => {
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const verified = await jwtVerify(token, key, { issuer: issuer.url, audience: url }).catch(() => {
        throw new Response(null, { status: 401, statusText: 'Unauthorized' });
      });
      return { subject: verified.payload.sub };
    },
    oauth: {
      enabled: true,
      authorizationServer: {
        issuer: issuer.url,
        authorizationEndpoint: `${issuer.url}/authorize`,
        tokenEndpoint: `${issuer.url}/token`,
        jwksUri: `${issuer.url}/jwks`,
        responseTypesSupported: ['code'],
        codeChallengeMethodsSupported: ['S256'],
      },
      protectedResource: { resource: url, authorizationServers: [issuer.url] },
    },
  });
  const parameters = z.object({ id: z.string() });
  const execute = async () => 'done';
  server.addTool({
    name: 'read_note',
    description: 'Gives one note',
    parameters,
    annotations: { readOnlyHint: true },
    execute,
  });
  server.addTool({
    name: 'delete_note',
    description: 'Deletes one note',
    parameters,
    annotations: { destructiveHint: true },
    execute,
  });
  await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1' } });
  return {
    name: 'fastmcp',
    url,
    mint: issuer.mint,
    async close() {
      await server.stop();
      await issuer.close();
    },
  };
}
