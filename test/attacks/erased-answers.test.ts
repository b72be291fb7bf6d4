import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decodeJwt } from 'jose';
import { freePort, modernVersion } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

// Whoever can crash the gateway, or waits for its machine to lose power, must not be able to take back what was tried just before:
// once somebody has an answer, what it answered is on disk.

const secret = 'only this machine knows it';
/** Longer than an answer that waits for nobody takes. */
const lockedMs = 400;

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let directory: string;
let upstream: FixtureServer;
let port: number;
let child: ChildProcess;

const database = () => join(directory, 'audit.db');

function send(options: RequestOptions, body = ''): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method: 'POST', agent: false, ...options }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += String(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function call(
  token: string | null,
  tool: string,
  { headers = {}, args = { text: 'x' } }: { headers?: Record<string, string>; args?: object } = {},
): Promise<Got> {
  const params = { name: tool, arguments: args, _meta: meta };
  return mcp(token, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }), {
    'mcp-method': 'tools/call',
    'mcp-name': tool,
    ...headers,
  });
}

const meta = {
  'io.modelcontextprotocol/protocolVersion': modernVersion,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

function mcp(token: string | null, body: string, headers: Record<string, string> = {}): Promise<Got> {
  const all = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': modernVersion,
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...headers,
  };
  return send({ path: '/mcp', headers: all }, body);
}

function oauth(path: string, form: Record<string, string>): Promise<Got> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return send({ path: `/oauth${path}`, headers }, new URLSearchParams(form).toString());
}

function token(scope: string, client = 'machine', password = secret): Promise<Got> {
  const resource = `http://127.0.0.1:${port}/mcp`;
  const known = { client_id: client, client_secret: password };
  return oauth('/token', { grant_type: 'client_credentials', scope, resource, ...known });
}

async function accessToken(scope: string, client?: string): Promise<string> {
  const { text } = await token(scope, client);
  return String((JSON.parse(text) as { access_token: string }).access_token);
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portcullis-erased-'));
  upstream = await startFixtureServer();
  port = await freePort();
  await writeFile(join(directory, 'secret'), secret);
  const client = (id: string) =>
    `{ id: ${id}, secret: { file: ${directory}/secret }, grants: [client_credentials], scopes: ["mcp:tools:read", "mcp:tools:write"] }`;
  await writeFile(
    join(directory, 'portcullis.yaml'),
    `publicUrl: http://127.0.0.1:${port}
listen: { host: 127.0.0.1, port: ${port} }
data: ${directory}
servers: { notes: { path: /mcp, upstream: { url: "${upstream.url}" } } }
auth: { embedded: { clients: { registered: [${client('machine')}, ${client('busy')}] } } }
limits: { client: 1/min, address: 40/min }
`,
  );
  const program = fileURLToPath(new URL('../crash/gateway-child.ts', import.meta.url));
  child = fork(program, [join(directory, 'portcullis.yaml')], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => assert.fail('it did not start')),
  ]);
});

after(async () => {
  child.kill('SIGKILL');
  await upstream.close();
  await rm(directory, { recursive: true, force: true });
});

/** Texts of all entries, read from the file that the dead process left. */
function entries(): Record<string, unknown>[] {
  const db = new DatabaseSync(database());
  const rows = db.prepare('SELECT * FROM entries ORDER BY seq').all();
  db.close();
  return rows;
}

describe('kill -9 in the moment that an answer was read', () => {
  const answered = new Map<string, Got>();
  const early: string[] = [];
  let found: Record<string, unknown>[];

  before(async () => {
    const reader = await accessToken('mcp:tools:read');
    const busy = await accessToken('mcp:tools:read mcp:tools:write', 'busy');
    assert.equal((await call(busy, 'echo')).status, 200); // all that its limit has
    for (let at = 0; at < 45; at += 1) await send({ path: '/mcp', localAddress: '127.0.0.2' });
    const lock = new DatabaseSync(database(), { timeout: 5_000 });
    let isLocked = false;
    const kinds: Record<string, () => Promise<Got>> = {
      '401 without a token': () => call(null, 'echo'),
      '401 with a bad token': () => call('bad', 'echo'),
      '403 for want of a scope': () => call(reader, 'delete_note'),
      '403 of a page elsewhere': () => call(reader, 'echo', { headers: { origin: 'https://evil.example' } }),
      '400 with -32700': () => mcp(reader, '{"jsonrpc":'),
      '200 with -32602': () => call(reader, 'echo', { args: {} }),
      '405 of a method': () =>
        send({ path: '/mcp', method: 'PUT', headers: { authorization: `Bearer ${reader}` } }),
      '429 of a client': () => call(busy, 'echo'),
      '429 of an address': () => send({ path: '/mcp', localAddress: '127.0.0.2' }),
      'a token': () => token('mcp:tools:read'),
      'no token': () => token('mcp:tools:read', 'machine', 'guessed'),
      'a registration': () =>
        send(
          { path: '/oauth/register', headers: { 'content-type': 'application/json' } },
          JSON.stringify({ client_name: 'erased', redirect_uris: ['http://127.0.0.1/callback'] }),
        ),
      'a path that is not there': () => send({ path: '/.env' }),
      'another Host': () => send({ path: '/oauth/token', headers: { host: 'evil.example' } }),
      'no HTTP': () => raw('nonsense\r\n\r\n'),
    };
    lock.exec('BEGIN IMMEDIATE');
    isLocked = true;
    const all = Object.entries(kinds).map(async ([kind, ask]) => {
      answered.set(kind, await ask());
      if (isLocked) early.push(kind);
    });
    await Promise.race([Promise.all(all), wait(lockedMs)]);
    isLocked = false;
    lock.exec('ROLLBACK');
    lock.close();
    await Promise.all(all);
    child.kill('SIGKILL');
    await once(child, 'exit');
    found = entries();
  });

  it('no answer leaves before its record is on disk', () => {
    assert.deepEqual(early, []);
  });

  for (const [kind, status, reason] of [
    ['401 without a token', 401, 'token_missing'],
    ['401 with a bad token', 401, 'token_malformed'],
    ['403 for want of a scope', 403, 'scope_missing'],
    ['403 of a page elsewhere', 403, 'origin_denied'],
    ['400 with -32700', 400, 'malformed_json'],
    ['200 with -32602', 200, 'arguments_invalid'],
    ['405 of a method', 405, 'method_not_allowed'],
    ['429 of a client', 429, 'limit_client'],
    ['429 of an address', 429, 'limit_address'],
  ] as const) {
    it(`has the outcome: ${kind}`, () => {
      const got = answered.get(kind);
      assert.equal(got?.status, status, got?.text);
      const id = got?.headers['x-request-id'];
      const outcome = found.find((row) => row['phase'] === 'outcome' && row['request_id'] === id);
      assert.equal(outcome?.['reason'], reason);
    });
  }

  it('has the event of a token that was issued, by its jti', () => {
    const { access_token } = JSON.parse(answered.get('a token')?.text ?? '{}') as { access_token: string };
    const { jti } = decodeJwt(access_token);
    const issued = found.filter((row) => row['event'] === 'token.issued');
    assert.ok(issued.some((row) => JSON.stringify(row).includes(String(jti))));
  });

  it('has the events of what was refused and registered', () => {
    const events = found.map((row) => row['event']);
    for (const event of ['token.refused', 'client.registered', 'http.refused', 'http.malformed']) {
      assert.ok(events.includes(event), event);
    }
  });
});

/** Sends what is no HTTP. */
function raw(bytes: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve({ status: Number(text.slice(9, 12)), headers: {}, text }));
  });
}
