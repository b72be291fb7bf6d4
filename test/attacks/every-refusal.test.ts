import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { freePort, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

// Every way to be turned away, at every listener of the running product: what is answered has its record, and has it first.

let upstream: FixtureServer;
let test: TestGateway;
let metricsPort: number;

before(async () => {
  upstream = await startFixtureServer();
  metricsPort = await freePort();
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    environment: { METRICS_TOKEN: 'only-the-scraper-knows-this-one' },
    rest: [
      '  embedded: { clients: { dynamicRegistration: { maxPerHourAndAddress: 5 } } }',
      'limits: { address: 20/min, addressFailures: 1000/min }',
      `telemetry: { prometheus: { listen: { host: 127.0.0.1, port: ${metricsPort} }, token: { env: METRICS_TOKEN } } }`,
    ].join('\n'),
  });
});

after(async () => {
  await test.close();
  await upstream.close();
});

interface Request {
  readonly line: string;
  /** Replaces a header of that name, or leaves it out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly body?: string;
  /** In place of all of it. */
  readonly bytes?: Buffer;
  readonly port?: number;
  /** How often, from the same address; the last answer counts. */
  readonly times?: number;
}

interface Exit extends Request {
  /** 0: the connection ends without an answer. */
  readonly status: number;
  readonly event: string | null;
  readonly reason: string;
}

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const evil = { origin: 'https://evil.example' };
const stranger = { host: 'evil.example' };

/** Sends from an address of its own, so that the record can be told from all others. */
function send(request: Request, from: string): Promise<number> {
  return new Promise((resolve) => {
    const port = request.port ?? test.port;
    const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () =>
      socket.write(request.bytes ?? bytesOf(request)),
    );
    let answer = '';
    const late = setTimeout(() => socket.destroy(), 5_000);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(late);
      resolve(Number(answer.slice(9, 12)));
    });
  });
}

function bytesOf({ line, headers, body = '', port = test.port }: Request): Buffer {
  const all: Record<string, string | null> = {
    host: `127.0.0.1:${port}`,
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return Buffer.from(`${line} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

interface Found {
  readonly event: string | null;
  readonly reason: string | null;
}

/** What the trail has of an address, read at once: nobody waits for it to come. */
function recordsOf(address: string): Found[] {
  const db = new DatabaseSync(join(test.dataDir, 'audit.db'), { readOnly: true });
  const sql = `SELECT event, coalesce(reason, data ->> 'reason', data ->> 'code') AS reason
               FROM entries WHERE address = ? AND phase <> 'intent' ORDER BY seq`;
  const rows = db.prepare(sql).all(address);
  db.close();
  return rows.map(({ event, reason }) => ({
    event: event as string | null,
    reason: reason as string | null,
  }));
}

const refused = (line: string, status: number, reason: string, more: Omit<Request, 'line'> = {}): Exit => ({
  ...{ line, status, reason, event: 'http.refused' },
  ...more,
});

const outside = [
  'GET /.well-known/oauth-protected-resource/mcp',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/portcullis/jwks.json',
  'GET /oauth/jwks',
  'GET /oauth/authorize',
  'POST /oauth/token',
  'POST /oauth/register',
  'GET /account',
  'GET /setup',
  'GET /nothing',
];

const table: Record<string, readonly Exit[]> = {
  'for its Host': outside.map((line) => refused(line, 403, 'host_denied', { headers: stranger })),
  'for its Origin': outside.map((line) => refused(line, 403, 'origin_denied', { headers: evil })),
  'for what is not there': [
    ...['GET /.env', 'GET /mcp/', 'POST //mcp', 'POST /%6dcp', 'GET /oauth/nothing', 'GET /connect/nobody/'],
    'GET /oauth/callback',
    'POST /account/nothing',
  ].map((line) => refused(line, 404, 'not_found')),
  'for its method': [
    ...['POST /.well-known/oauth-protected-resource/mcp', 'DELETE /.well-known/oauth-authorization-server'],
    ...['PUT /oauth/jwks', 'GET /oauth/token', 'GET /oauth/register', 'POST /oauth/authorize'],
    'DELETE /setup',
  ].map((line) => refused(line, 405, 'method_not_allowed')),
  'at the authorization server': [
    refused('GET /oauth/interaction/abc', 400, 'bad_request'),
    refused('POST /oauth/interaction/abc/login', 400, 'bad_request'),
    refused('POST /account/login', 403, 'forbidden', { headers: { 'content-type': form }, body: 'name=a' }),
    refused('POST /account/sign-out', 403, 'forbidden', { headers: { 'content-type': json }, body: '{}' }),
    {
      ...{ line: 'GET /setup?token=guessed', status: 404, event: 'setup.refused', reason: 'unknown' },
    },
    {
      ...{ line: 'POST /oauth/token', status: 413, event: 'token.refused', reason: 'invalid_request' },
      ...{ headers: { 'content-type': form, 'content-length': '40000' } },
    },
    {
      ...{ line: 'POST /oauth/token', status: 400, event: 'token.refused', reason: 'invalid_request' },
      ...{ headers: { 'content-type': json }, body: '{}' },
    },
    {
      ...{ line: 'POST /oauth/token', status: 401, event: 'token.refused', reason: 'invalid_client' },
      ...{ headers: { 'content-type': form }, body: 'client_id=x&grant_type=refresh_token&refresh_token=x' },
    },
    {
      ...{ line: 'POST /oauth/revoke', status: 401, event: 'revocation.refused', reason: 'invalid_client' },
      ...{ headers: { 'content-type': form }, body: 'client_id=x&token=x' },
    },
    {
      ...{
        line: 'POST /oauth/register',
        status: 413,
        event: 'client.refused',
        reason: 'invalid_client_metadata',
      },
      ...{ headers: { 'content-type': json, 'content-length': '400000' } },
    },
    {
      ...{
        line: 'POST /oauth/register',
        status: 400,
        event: 'client.refused',
        reason: 'invalid_client_metadata',
      },
      ...{ headers: { 'content-type': json }, body: '{' },
    },
    {
      ...{ line: 'GET /oauth/authorize?client_id=nobody', status: 400 },
      ...{ event: 'authorization.refused', reason: 'invalid_client' },
    },
  ],
  'for their number': [
    refused('GET /oauth/jwks', 429, 'limit_address', { times: 21 }),
    { ...{ line: 'POST /mcp', status: 429, event: null, reason: 'limit_address' }, times: 21 },
  ],
  'before there is a request': [
    { bytes: Buffer.from('nonsense\r\n\r\n'), status: 400, code: 'HPE_INVALID_METHOD' },
    { bytes: Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), status: 400, code: 'HPE_INVALID_METHOD' },
    {
      bytes: Buffer.from(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
      ...{ status: 431, code: 'HPE_HEADER_OVERFLOW' },
    },
    {
      bytes: Buffer.from('CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n'),
      status: 405,
      code: 'CONNECT',
    },
  ].map(({ bytes, status, code }) => ({ line: '', bytes, status, event: 'http.malformed', reason: code })),
  'for HTTP that a parser lets pass': [
    refused('GET /oauth/jwks', 400, 'malformed_request', { headers: { host: null } }),
    { line: 'POST /mcp', headers: { host: null }, status: 400, event: null, reason: 'malformed_request' },
    refused('GET /nothing', 404, 'not_found', { headers: { expect: 'wonders' } }),
    { line: 'POST /mcp', headers: { expect: 'wonders' }, status: 401, event: null, reason: 'token_missing' },
  ],
  'at the MCP endpoint': [
    { line: 'POST /mcp', headers: stranger, status: 403, event: null, reason: 'host_denied' },
    { line: 'OPTIONS /mcp', headers: evil, status: 403, event: null, reason: 'origin_denied' },
    { line: 'PUT /mcp', status: 401, event: null, reason: 'token_missing' },
    { line: 'POST /mcp', headers: {}, status: 401, event: null, reason: 'token_missing' },
  ],
};

const own = (exit: Exit): Exit => ({ ...exit, port: metricsPort });
const metrics: readonly (() => Exit)[] = [
  () => own(refused('GET /metrics', 401, 'unauthenticated')),
  () => own(refused('GET /metrics', 403, 'forbidden', { headers: stranger })),
  () => own(refused('GET /other', 404, 'not_found')),
  () => own(refused('POST /metrics', 405, 'method_not_allowed')),
];

let nextAddress = 0;
function address(): string {
  nextAddress += 1;
  return `127.1.${Math.floor(nextAddress / 250)}.${(nextAddress % 250) + 1}`;
}

async function hasItsRecord(exit: Exit): Promise<void> {
  const from = address();
  for (let left = (exit.times ?? 1) - 1; left > 0; left -= 1) await send(exit, from);
  assert.equal(await send(exit, from), exit.status, exit.line);
  const { event, reason } = exit;
  assert.deepEqual(recordsOf(from).at(-1), { event, reason }, `${exit.line}: ${exit.status}`);
}

describe('what is refused', () => {
  for (const [why, exits] of Object.entries(table)) {
    it(`${why} is on record before it is answered`, async () => {
      for (const exit of exits) await hasItsRecord(exit);
    });
  }

  it('where metrics are read is on record before it is answered', async () => {
    for (const exit of metrics) await hasItsRecord(exit());
  });

  it('says where it was aimed, and nothing that may be a secret', async () => {
    const from = address();
    const key = 'sk3cr3t0123456789abcdef';
    await send({ line: `GET /wp-admin/${key}/..%2f..%2fetc%2fpasswd?token=${key}` }, from);
    const db = new DatabaseSync(join(test.dataDir, 'audit.db'), { readOnly: true });
    const row = db.prepare('SELECT data FROM entries WHERE address = ?').get(from);
    db.close();
    assert.deepEqual(JSON.parse(String(row?.['data'])), {
      ...{ reason: 'not_found', status: 404, method: 'GET', path: '/wp-admin/*/..%2f..%2fetc%2fpasswd' },
    });
  });

  it('does not fill the disk, however often: what is too much is counted', async () => {
    const from = address();
    const times = 200;
    for (let sent = 0; sent < times; sent += 1) await send({ line: 'GET /.env' }, from);
    for (let sent = 0; sent < times; sent += 1)
      await send({ line: '', bytes: Buffer.from('?\r\n\r\n') }, from);
    assert.ok(recordsOf(from).length <= 60, `${recordsOf(from).length} records`);
    await test.gateway.close();
    const db = new DatabaseSync(join(test.dataDir, 'audit.db'), { readOnly: true });
    const sql =
      "SELECT event, sum(coalesce(data ->> 'count', 1)) AS n FROM entries WHERE address = ? GROUP BY event";
    const counted = db
      .prepare(sql)
      .all(from)
      .map(({ event, n }) => [event, n]);
    db.close();
    assert.deepEqual(counted.sort(), [
      ['http.malformed', times],
      ['http.refused', times],
    ]);
  });
});
