import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import * as oauth from 'oauth4webapi';
import { createOutbound, discoverProvider, oauthRequests } from '../../src/outbound/index.ts';

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('a provider sends our credentials to no other machine of the operator\u2019s network', async (t) => {
  const reached: string[] = [];
  const victim = createServer((request, response) => {
    reached.push(`${request.method} ${request.url}`);
    response.end('{}');
  });
  const inside = await listening(victim);
  let endpoint = '';
  const provider = createServer((request, response) => {
    reached.push(`provider ${request.url}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ issuer, token_endpoint: endpoint }));
  });
  const issuer = await listening(provider);
  const outbound = createOutbound();
  t.after(async () => {
    await outbound.close();
    for (const server of [victim, provider]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const requests = oauthRequests(outbound, [issuer]);
  const ask = async (to: string) => {
    endpoint = to;
    const as = await discoverProvider(new URL(issuer), requests, ['token_endpoint']);
    const client = { client_id: 'portcullis' };
    const secret = oauth.ClientSecretBasic('secret');
    return oauth.genericTokenEndpointRequest(as, client, secret, 'x', new URLSearchParams(), requests);
  };
  for (const to of [
    `${inside}/admin`,
    inside.replace('http:', 'https:'),
    'https://169.254.169.254/latest',
    'https://[::1]/',
  ]) {
    await assert.rejects(ask(to), to);
  }
  assert.deepEqual(
    reached.filter((one) => !one.startsWith('provider /.well-known')),
    [],
  );
  for (const to of ['ftp://x.example/', 'javascript:alert(1)', '', 'token']) {
    await assert.rejects(ask(to), /unusable metadata/, to);
  }
  assert.equal((await ask(`${issuer}/token`)).status, 200, 'its own endpoint');
  assert.equal(reached.at(-1), 'provider /token');
});
