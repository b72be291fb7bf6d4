import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import { startIssuer, type TestIssuer } from '../identity/issuer.ts';
import { generousLimits, startTestGateway, type TestGateway } from './gateway.ts';

const server = resolve(import.meta.dirname, '../support/fixture-server/stdio.ts');
const secret = 'only this machine knows it';

/** The official client without a person: from the URL alone to a call that is answered. */
describe('machines with the official client', () => {
  let directory: string;
  let idp: TestIssuer;
  let gateway: TestGateway;
  let privateKey: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'portcullis-machines-'));
    idp = await startIssuer();
    const pair = await generateKeyPair('ES256', { extractable: true });
    privateKey = await exportPKCS8(pair.privateKey);
    const jwks = join(directory, 'keys.json');
    await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), use: 'sig' }] }));
    const secretFile = join(directory, 'secret');
    await writeFile(secretFile, `${secret}\n`);
    const scopes = ['mcp:tools:read', 'mcp:tools:write', 'mcp:resources:read'];
    const grants = ['client_credentials'];
    gateway = await startTestGateway({
      config: {
        servers: { fixture: { path: '/mcp', upstream: { command: [process.execPath, server] } } },
        auth: {
          embedded: {
            clients: {
              registered: [
                { id: 'with-secret', secret: { file: secretFile }, grants, scopes },
                { id: 'with-key', jwks: { file: jwks }, grants, scopes },
                { id: 'editor', secret: { file: secretFile }, grants: ['jwt_bearer'], scopes },
              ],
            },
            enterprise: [{ issuer: idp.issuer, clientIds: ['editor'], algorithms: ['ES256'] }],
          },
        },
        limits: generousLimits,
        http: { drainSeconds: 1 },
      },
    });
  });
  after(async () => {
    await gateway.close();
    await idp.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function listTools(authProvider: OAuthClientProvider): Promise<number> {
    const client = new Client({ name: 'machine', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const url = new URL(gateway.servers[0]?.url ?? '');
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider }));
    try {
      return (await client.listTools()).tools.length;
    } finally {
      await client.close();
    }
  }

  it('connect by a secret', async () => {
    const provider = new ClientCredentialsProvider({
      clientId: 'with-secret',
      clientSecret: secret,
      expectedIssuer: String(gateway.issuer),
    });
    assert.ok((await listTools(provider)) > 0);
  });

  it('connect by a key', async () => {
    const provider = new PrivateKeyJwtProvider({
      clientId: 'with-key',
      privateKey,
      algorithm: 'ES256',
      expectedIssuer: String(gateway.issuer),
    });
    assert.ok((await listTools(provider)) > 0);
  });

  it('connect for a person by an assertion of their enterprise', async () => {
    const asked: { authorizationServerUrl: string; resourceUrl: string }[] = [];
    const provider = new CrossAppAccessProvider({
      clientId: 'editor',
      clientSecret: secret,
      expectedIssuer: String(gateway.issuer),
      assertion: ({ authorizationServerUrl, resourceUrl }) => {
        asked.push({ authorizationServerUrl, resourceUrl });
        return idp.sign(
          {
            sub: 'U019488227',
            aud: authorizationServerUrl,
            resource: resourceUrl,
            client_id: 'editor',
            jti: randomUUID(),
          },
          { typ: 'oauth-id-jag+jwt' },
        );
      },
    });
    assert.ok((await listTools(provider)) > 0);
    assert.equal(asked[0]?.authorizationServerUrl, gateway.issuer);
    assert.equal(asked[0]?.resourceUrl, gateway.servers[0]?.url);
  });

  it('do not connect with another secret', async () => {
    const provider = new ClientCredentialsProvider({
      clientId: 'with-secret',
      clientSecret: 'guessed',
      expectedIssuer: String(gateway.issuer),
    });
    await assert.rejects(listTools(provider));
  });
});
