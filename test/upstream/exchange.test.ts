import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { assertionKeysPath } from '../../src/upstream/index.ts';
import { callTool, rpc, startTestGateway, type TestGateway } from '../gateway/support.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

/** Of the upstream's own people: exchanges assertions of the gateway, after it has verified them. What it answers can be changed. */
let provider: Server;
let issuer: string;
let asked: URLSearchParams[] = [];
let bent: ((good: Record<string, unknown>, subjectToken: string) => [number, unknown]) | null = null;
let gatewayKeys: ReturnType<typeof createRemoteJWKSet>;
let issued = new Map<string, string>();

let upstream: Server;
let seen: (string | undefined)[] = [];
let refuses = false;
let test: TestGateway;

const listening = async (server: Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const bodyOf = async (request: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

async function exchanged(form: URLSearchParams): Promise<[number, unknown]> {
  const subjectToken = form.get('subject_token') ?? '';
  const { payload } = await jwtVerify(subjectToken, gatewayKeys, {
    audience: issuer,
    issuer: test.origin,
    typ: 'portcullis-assertion+jwt',
    maxTokenAge: 60,
  });
  const token = randomBytes(16).toString('hex');
  issued.set(token, String(payload.sub));
  const good = { access_token: token, issued_token_type: accessToken, token_type: 'Bearer', expires_in: 300 };
  return bent ? bent(good, subjectToken) : [200, good];
}

before(async () => {
  provider = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json');
    const body = await bodyOf(request);
    if (request.method === 'GET') {
      const metadata = { issuer, token_endpoint: `${issuer}/token` };
      return response.end(
        request.url?.includes('oauth-authorization-server') ? JSON.stringify(metadata) : '{}',
      );
    }
    const form = new URLSearchParams(body);
    asked.push(form);
    const isClient = request.headers.authorization === `Basic ${btoa('gateway:canary')}`;
    const [status, answer] = isClient
      ? await exchanged(form).catch(() => [400, { error: 'invalid_request' }] as [number, unknown])
      : [401, { error: 'invalid_client' }];
    response.writeHead(status as number).end(JSON.stringify(answer));
  });
  issuer = await listening(provider);
  upstream = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const { id, method } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
    if (method === 'tools/call') seen.push(request.headers.authorization);
    if (refuses && method === 'tools/call') return response.writeHead(401).end();
    const tools = [{ name: 'whoami', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }];
    const result = method === 'tools/list' ? { tools } : { content: [] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }));
  });
  const url = `${await listening(upstream)}/mcp`;
  const exchange = `{ issuer: "${issuer}", clientId: gateway, clientSecret: { env: SECRET }, audience: tickets, scopes: [read] }`;
  test = await startTestGateway({
    servers: `  tickets: { path: /mcp, upstream: { url: "${url}", exchange: ${exchange} } }`,
    environment: { SECRET: 'canary' },
  });
  gatewayKeys = createRemoteJWKSet(new URL(assertionKeysPath, test.origin));
});

after(async () => {
  await test.close();
  for (const server of [provider, upstream]) {
    server.closeAllConnections();
    server.close();
  }
});

beforeEach(() => {
  [asked, seen, bent, refuses, issued] = [[], [], null, false, new Map()];
});

let people = 0;
/** Somebody whom nobody has seen. */
const somebody = (claims: Record<string, unknown> = {}) => {
  people += 1;
  return test.token('mcp:tools:read', { sub: `person ${people}`, ...claims });
};

async function reasonOf(token: string): Promise<string> {
  const { result, error } = await rpc(await callTool(test.url, token, 'whoami'));
  const meta = result?.['_meta'] as Record<string, unknown> | undefined;
  return String(error?.data?.['reason'] ?? meta?.['portcullis/reason'] ?? 'ok');
}

describe('token exchange at the upstream\u2019s provider', () => {
  it('sends a token of the caller\u2019s own, got for a signed assertion; the caller\u2019s token goes nowhere', async () => {
    const token = await somebody({ sub: 'alice', act: { sub: 'agent' } });
    assert.equal(await reasonOf(token), 'ok');
    const bearer = (seen[0] ?? '').replace('Bearer ', '');
    assert.equal(issued.get(bearer), 'alice');
    const [form] = asked;
    assert.equal(form?.get('grant_type'), 'urn:ietf:params:oauth:grant-type:token-exchange');
    assert.equal(form?.get('subject_token_type'), 'urn:ietf:params:oauth:token-type:jwt');
    assert.deepEqual([form?.get('audience'), form?.get('scope')], ['tickets', 'read']);
    assert.ok(!JSON.stringify([String(form), seen]).includes(token));
  });

  it('asks once for calls that come together, and again for nobody else\u2019s', async () => {
    const [alice, bob] = [await somebody(), await somebody()];
    await Promise.all([1, 2, 3, 4].map(() => reasonOf(alice)));
    await reasonOf(alice);
    assert.equal(asked.length, 1);
    await reasonOf(bob);
    assert.equal(asked.length, 2);
    assert.notEqual(issued.get((seen[0] ?? '').slice(7)), issued.get((seen.at(-1) ?? '').slice(7)));
  });

  it('keeps apart one person with other scopes, another organization, or another who acts', async () => {
    const sub = 'carol';
    for (const claims of [{}, { org: 'other' }, { act: { sub: 'agent' } }, { client_id: 'b' }]) {
      await reasonOf(await somebody({ sub, ...claims }));
    }
    await reasonOf(await test.token('mcp:tools:read mcp:tools:write', { sub }));
    assert.equal(asked.length, 5);
  });

  it('does not send what a lying provider answers, and nothing instead of it', async () => {
    const lies: Record<string, (good: Record<string, unknown>, given: string) => [number, unknown]> = {
      'the assertion itself': (good, given) => [200, { ...good, access_token: given }],
      'an ID token': (good) => [
        200,
        { ...good, issued_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      ],
      'a refresh token': (good) => [
        200,
        { ...good, issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      ],
      'no kind of token': ({ issued_token_type: _, ...good }) => [200, good],
      'no access token type': (good) => [200, { ...good, token_type: 'N_A' }],
      'a header of its own': (good) => [200, { ...good, access_token: 'x\r\nx-admin: 1' }],
      'an empty token': (good) => [200, { ...good, access_token: '' }],
      'a huge token': (good) => [200, { ...good, access_token: 'x'.repeat(20_000) }],
      'a page': () => [200, 'hello'],
      'a redirect': (good) => [302, good],
      'a fault': () => [500, { error: 'server_error' }],
      'that we are nobody': () => [401, { error: 'invalid_client' }],
    };
    for (const [what, lie] of Object.entries(lies)) {
      bent = lie;
      assert.equal(await reasonOf(await somebody()), 'upstream_unavailable', what);
    }
    assert.deepEqual(seen, [], 'something was sent');
  });

  it('ends at the provider\u2019s no, which is not asked for again at every call', async () => {
    bent = () => [400, { error: 'invalid_grant' }];
    const token = await somebody();
    for (let i = 0; i < 5; i += 1) assert.equal(await reasonOf(token), 'upstream_not_connected');
    assert.equal(asked.length, 1);
    assert.deepEqual(seen, []);
  });

  it('uses a token no longer than it lives, nor after the server has refused it', async () => {
    bent = (good) => [200, { ...good, expires_in: 5 }];
    const short = await somebody();
    await reasonOf(short);
    await reasonOf(short);
    assert.equal(asked.length, 2);
    bent = null;
    const token = await somebody();
    await reasonOf(token);
    refuses = true;
    assert.equal(await reasonOf(token), 'upstream_not_connected');
    refuses = false;
    assert.equal(await reasonOf(token), 'ok');
    assert.equal(asked.length, 4);
  });
});
