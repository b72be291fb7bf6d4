import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { queryAudit } from '../../src/audit/index.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Gateway, startGateway } from '../../src/gateway/index.ts';
import { freePort, until } from '../gateway/support.ts';
import { startIssuer, type TestIssuer } from './issuer.ts';

// A real handshake: certificates of openssl, the gateway as `serve` runs it, node:https as the client.

const directory = mkdtempSync(join(tmpdir(), 'portcullis-mtls-'));
const at = (name: string) => join(directory, name);
let port: number;
let url: string;
let issuer: TestIssuer;
let gateway: Gateway;
/** Whether the last request came on a resumed session. */
let resumed = false;

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore', cwd: directory });
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];

function authority(name: string): void {
  openssl('req', '-x509', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`);
}

function issue(name: string, by: string): void {
  openssl(
    'req',
    ...newKey.slice(0, -2),
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  );
  openssl(
    ...`x509 -req -in ${name}.csr -CA ${by}.pem -CAkey ${by}.key -CAcreateserial -days 1 -out ${name}.pem`.split(
      ' ',
    ),
  );
}

const thumbprint = (name: string) =>
  createHash('sha256')
    .update(new X509Certificate(readFileSync(at(`${name}.pem`))).raw)
    .digest('base64url');

before(async () => {
  authority('server');
  authority('ours');
  authority('theirs');
  issue('alice', 'ours');
  issue('bob', 'ours');
  issue('mallory', 'theirs');
  issuer = await startIssuer();
  port = await freePort();
  url = `https://127.0.0.1:${port}/mcp`;
  const file = at('portcullis.yaml');
  writeFileSync(
    file,
    [
      `publicUrl: https://127.0.0.1:${port}`,
      `listen: { port: ${port} }`,
      'data: ./data',
      'tls: { cert: server.pem, key: { file: server.key }, clientCertificates: { ca: ours.pem } }',
      'servers: { notes: { upstream: { url: "http://127.0.0.1:9/" } } }',
      `auth: { issuers: [ { issuer: "${issuer.issuer}", audience: "${url}" } ] }`,
    ].join('\n'),
  );
  const { config } = await loadConfig({ file, environment: {}, cwd: directory });
  gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
});

after(async () => {
  await gateway.close();
  await issuer.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Status of a call that passes the gateway's identity check only to find no upstream: 401, or else. */
function ask(token: string, agent: Agent): Promise<number> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-06-18',
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      resumed = (response.socket as TLSSocket).isSessionReused();
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject).end(body);
  });
}

function client(name: string | null, more: object = {}): Agent {
  const pair = name && { cert: readFileSync(at(`${name}.pem`)), key: readFileSync(at(`${name}.key`)) };
  return new Agent({ rejectUnauthorized: false, ...(pair || {}), ...more });
}

/** How callers proved who they are, newest first. */
const methodsOnRecord = () =>
  [...queryAudit(at('data'))].map((call) => (call.phase === 'event' ? null : call.auth_method));

describe('tokens that are bound to a certificate', () => {
  it('pass on the connection that showed it, the first time and when the session is resumed', async () => {
    const token = await issuer.sign({ aud: url, cnf: { 'x5t#S256': thumbprint('alice') } });
    const agent = client('alice', { maxCachedSessions: 10, keepAlive: false });
    for (let i = 0; i < 4; i++) assert.equal(await ask(token, agent), 502);
    assert.ok(resumed, 'no session was resumed');
    agent.destroy();
    await until(() => assert.equal(methodsOnRecord().filter((method) => method === 'mtls').length, 4));
  });

  it('are nothing on any other', async () => {
    const token = await issuer.sign({ aud: url, cnf: { 'x5t#S256': thumbprint('alice') } });
    for (const name of [null, 'bob', 'mallory']) {
      const agent = client(name);
      assert.equal(await ask(token, agent), 401, String(name));
      agent.destroy();
    }
  });

  it('nor on one with the right certificate of another authority', async () => {
    const token = await issuer.sign({ aud: url, cnf: { 'x5t#S256': thumbprint('mallory') } });
    const agent = client('mallory');
    assert.equal(await ask(token, agent), 401);
    agent.destroy();
  });

  it('bearer tokens go on without one', async () => {
    const token = await issuer.sign({ aud: url });
    for (const name of [null, 'alice', 'mallory']) {
      const agent = client(name);
      assert.equal(await ask(token, agent), 502, String(name));
      agent.destroy();
      await until(() => assert.equal(methodsOnRecord().at(0), 'bearer'));
    }
  });
});

describe('a handshake that fails', () => {
  it('is on record, with the address', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    await until(() => {
      const [event] = queryAudit(at('data'), { event: 'http.malformed', events: true });
      assert.ok(event?.phase === 'event');
      assert.equal(event.address, '127.0.0.1');
      assert.match(String(event.data['code']), /SSL/);
    });
  });
});
