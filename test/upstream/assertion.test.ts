import assert from 'node:assert/strict';
import { hkdfSync, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { Clock } from '../../src/base/index.ts';
import { assertionKeysPath, createAssertionSigner } from '../../src/upstream/index.ts';
import { startTestGateway, type TestGateway } from '../gateway/support.ts';

const root = resolve(import.meta.dirname, '../..');
const header = 'x-portcullis-assertion';
const options = { algorithms: ['ES256'], typ: 'portcullis-assertion+jwt', maxTokenAge: 60 };

function clockAt(now: number): Clock & { time: number } {
  return {
    time: now,
    now() {
      return this.time;
    },
    monotonic: () => 0,
  };
}

const derive = (purpose: string) => new Uint8Array(hkdfSync('sha256', 'master', '', purpose, 32));

describe('the keys of assertions', () => {
  const call = { audience: 'http://up/mcp', requestId: 'r', principal: null };
  const issuer = 'https://mcp.example.com';

  it('are public parts alone, differ from period to period, and are published before they are used', () => {
    const clock = clockAt(Date.UTC(2026, 10, 23));
    const signer = createAssertionSigner({ issuer, clock, derive });
    const published = new Set<string>();
    const used = new Set<string>();
    for (let period = 0; period < 4; period += 1) {
      const kid = String(decodeProtectedHeader(signer.sign(call)).kid);
      if (period > 0) assert.ok(published.has(kid), 'the key in use was not known in time');
      used.add(kid);
      for (const key of signer.publicKeys().keys) {
        assert.equal(key['d'], undefined);
        published.add(String(key.kid));
      }
      clock.time += 90 * 86_400_000;
    }
    assert.equal(used.size, 4);
  });

  it('are the same for two processes on one master key, and others for another', async () => {
    const clock = clockAt(Date.now());
    const one = createAssertionSigner({ issuer, clock, derive });
    const two = createAssertionSigner({ issuer, clock, derive });
    const other = createAssertionSigner({ issuer, clock, derive: (purpose) => derive(`x${purpose}`) });
    await jwtVerify(one.sign(call), createLocalJWKSet(two.publicKeys()), options);
    await assert.rejects(jwtVerify(other.sign(call), createLocalJWKSet(two.publicKeys()), options));
  });
});

describe('assertions to an upstream', () => {
  const seen: IncomingHttpHeaders[] = [];
  let upstream: Server;
  let url: string;
  let gateway: TestGateway;

  before(async () => {
    upstream = createServer((request, response) => {
      seen.push(request.headers);
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const { id, method } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
        const tools = [
          { name: 'whoami', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
        ];
        const result = method === 'tools/list' ? { tools } : { content: [] };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }));
      });
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp`;
    gateway = await startTestGateway({
      servers: `  notes:\n    upstream: { url: "${url}", assertion: {} }`,
    });
  });
  after(async () => {
    await gateway.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  async function call(headers: Record<string, string> = {}): Promise<string> {
    const token = await gateway.token('mcp:tools:read', {
      sub: 'alice',
      client_id: 'editor',
      jti: randomUUID(),
    });
    const answer = await callTool(gateway.url, token, headers);
    assert.equal(answer.status, 200, await answer.text());
    const own = seen.findLast((one) => one['mcp-name'] === 'whoami');
    assert.ok(own?.authorization === undefined, 'the token of the caller travels on');
    assert.ok(!JSON.stringify(own).includes(token));
    return String(own?.[header]);
  }

  const keys = () => createRemoteJWKSet(new URL(assertionKeysPath, gateway.origin));

  it('say who calls, for this upstream and request alone', async () => {
    const { payload } = await jwtVerify(await call(), keys(), {
      ...options,
      issuer: gateway.origin,
      audience: url,
    });
    assert.equal(payload.sub, 'alice');
    assert.equal(payload['client_id'], 'editor');
    assert.equal(payload['scope'], 'mcp:tools:read');
    assert.deepEqual(payload['sub_id'], { format: 'iss_sub', iss: gateway.issuer.issuer, sub: 'alice' });
    assert.equal(payload.jti, seen.at(-1)?.['x-request-id']);
    assert.equal(Number(payload.exp) - Number(payload.iat), 60);
    const again = await jwtVerify(await call(), keys(), options);
    assert.notEqual(again.payload.jti, payload.jti);
  });

  it('name who acts for the caller', async () => {
    const act = { sub: 'agent', act: { sub: 'portal' } };
    const token = await gateway.token('mcp:tools:read', {
      act: { ...act, iss: 'https://x.example' },
      jti: 'delegated',
    });
    assert.equal((await callTool(gateway.url, token, {})).status, 200);
    const own = seen.findLast((one) => one['mcp-name'] === 'whoami');
    const { payload } = await jwtVerify(String(own?.[header]), keys(), options);
    assert.deepEqual(payload['act'], act);
    const record = (await gateway.records()).find(({ token_id }) => token_id === 'delegated');
    assert.deepEqual(JSON.parse(String(record?.actor)), ['agent', 'portal']);
  });

  it('cannot be sent by a client: one of theirs is dropped, in any spelling', async () => {
    const forged = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.';
    for (const name of [header, 'X-Portcullis-Assertion', 'X-PORTCULLIS-ASSERTION']) {
      const { payload } = await jwtVerify(await call({ [name]: forged }), keys(), options);
      assert.equal(payload.sub, 'alice');
    }
    assert.ok(!seen.some((one) => String(one[header]).includes('eyJzdWIiOiJhZG1pbiJ9')));
  });

  it('name the gateway itself where it asks on its own account', async () => {
    const own = seen.find((one) => one['mcp-method'] === 'tools/list');
    const { payload } = await jwtVerify(String(own?.[header]), keys(), options);
    assert.equal(payload.sub, gateway.origin);
    assert.equal(payload['client_id'], undefined);
    assert.equal(payload['scope'], undefined);
  });

  it('are no access tokens: the gateway does not take one back', async () => {
    const answer = await callTool(gateway.url, await call());
    assert.equal(answer.status, 401);
  });
});

function callTool(url: string, token: string, headers: Record<string, string> = {}): Promise<Response> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { name: 'whoami', arguments: {}, _meta: meta };
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'whoami',
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  });
}

describe('the lines of docs/upstream-identity.md', () => {
  it('let through what the gateway sends, and nothing else', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'portcullis-snippet-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    const page = await readFile(join(root, 'docs/upstream-identity.md'), 'utf8');
    const snippet = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    await writeFile(join(directory, 'server.mjs'), snippet);

    const upstream = createServer((request, response) => handle(request, response));
    let handle: (request: unknown, response: { end(): void }) => void = (_request, response) =>
      response.end();
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp`;
    t.after(() => {
      upstream.closeAllConnections();
      upstream.close();
    });
    const gateway = await startTestGateway({
      servers: `  notes:\n    upstream: { url: "${url}", assertion: { audience: "urn:notes" } }`,
    });
    t.after(() => gateway.close());
    process.env['PORTCULLIS_URL'] = gateway.origin;
    process.env['ASSERTION_AUDIENCE'] = 'urn:notes';
    const module = (await import(pathToFileURL(join(directory, 'server.mjs')).href)) as {
      app: typeof handle;
    };
    handle = module.app;

    const token = await gateway.token('mcp:tools:read', { sub: 'alice', client_id: 'editor' });
    const answer = await callTool(gateway.url, token);
    assert.match(await answer.text(), /called by alice through editor/);
    for (const forged of [undefined, 'x', token]) {
      const direct = await callTool(url, token, forged === undefined ? {} : { [header]: forged });
      assert.equal(direct.status, 401);
    }
  });
});
