import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { ConfigurationError } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { allScopes, callTool, modernCall, startTestGateway, type TestGateway, until } from './support.ts';

const config = (test: TestGateway) =>
  loadConfig({ file: test.configFile, environment: {}, cwd: test.dataDir });

async function edit(test: TestGateway, change: (text: string) => string): Promise<void> {
  await writeFile(test.configFile, change(await readFile(test.configFile, 'utf8')));
}

describe('reload', () => {
  it('takes up new rules without dropping a call, and keeps the old ones when the new cannot be', async () => {
    const upstream = await startFixtureServer({ port: 0 });
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    try {
      const token = await test.token('mcp:tools:read');
      assert.equal((await callTool(test.url, token, 'echo', { text: 'a' })).status, 200);
      const slow = callTool(test.url, token, 'slow_report', { steps: 5, delayMs: 40 });
      await edit(test, (text) => `${text}tools: [{ match: "*", scope: mcp:tools:admin }]\n`);
      await test.gateway.reload((await config(test)).config);
      assert.equal((await callTool(test.url, token, 'echo', { text: 'a' })).status, 403);
      const answer = await slow;
      assert.match(await answer.text(), /done after 5 steps/);
      await edit(test, (text) => text.replace(/port: \d+/, 'port: 1'));
      await assert.rejects(test.gateway.reload((await config(test)).config), ConfigurationError);
      assert.equal((await callTool(test.url, token, 'echo', { text: 'a' })).status, 403);
    } finally {
      await test.close();
      await upstream.close();
    }
  });

  it('does not give back what limits have taken', async () => {
    const upstream = await startFixtureServer({ port: 0 });
    const rest = 'tools: [{ match: "*", scope: mcp:tools:read, limit: 2/h }]';
    const servers = `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`;
    const test = await startTestGateway({ servers, rest });
    try {
      const token = await test.token('mcp:tools:read');
      for (const status of [200, 200, 429])
        assert.equal((await callTool(test.url, token, 'echo', { text: 'a' })).status, status);
      await test.gateway.reload((await config(test)).config);
      assert.equal((await callTool(test.url, token, 'echo', { text: 'a' })).status, 429);
    } finally {
      await test.close();
      await upstream.close();
    }
  });
});

describe('shutdown', () => {
  it('lets running calls end, ends standing streams, and records all of it', async () => {
    const upstream = await startFixtureServer({ port: 0 });
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    const token = await test.token(allScopes);
    const listening = await modernCall(test.url, token, {
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    });
    assert.equal(listening.status, 200);
    const slow = await callTool(test.url, token, 'slow_report', { steps: 10, delayMs: 50 });
    const closing = test.gateway.close();
    await listening.text();
    assert.match(await slow.text(), /done after 10 steps/);
    await closing;
    await assert.rejects(fetch(test.url));
    const reasons = (await test.records()).map(({ method, reason }) => `${method} ${reason}`).sort();
    assert.deepEqual(reasons, ['subscriptions/listen ok', 'tools/call ok']);
    await test.close();
    await upstream.close();
  });
});

describe('health', () => {
  it('says alive and ready to anybody, and no more', async () => {
    const upstream = await startFixtureServer({ port: 0 });
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    try {
      for (const path of ['/healthz', '/readyz']) {
        const answer = await fetch(test.origin + path);
        assert.equal(answer.status, 200);
        assert.equal(await answer.text(), '{"status":"ok"}');
      }
      await upstream.close();
      const token = await test.token(allScopes);
      const failed = await callTool(test.url, token, 'echo', { text: 'x' });
      assert.equal(failed.status, 502);
      assert.equal((await fetch(`${test.origin}/readyz`)).status, 503);
      const record = (await test.records()).at(-1);
      assert.deepEqual([record?.result, record?.reason], ['error', 'upstream_unavailable']);
    } finally {
      await test.close();
    }
  });
});

describe('TLS', () => {
  it('ends in the process, and new certificate files are taken up without a restart', async () => {
    const upstream = await startFixtureServer({ port: 0 });
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    await test.gateway.close();
    const certificate = (name: string) =>
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '1',
          '-keyout',
          join(test.dataDir, 'key.pem'),
          '-out',
          join(test.dataDir, 'cert.pem'),
          '-subj',
          `/CN=${name}`,
          '-addext',
          'subjectAltName=IP:127.0.0.1',
        ],
        { stdio: 'ignore' },
      );
    certificate('first');
    await edit(
      test,
      (text) =>
        `${text.replace('publicUrl: http:', 'publicUrl: https:')}tls: { cert: cert.pem, key: { file: key.pem } }\n`,
    );
    const { startGateway } = await import('../../src/gateway/index.ts');
    const { silentLog, systemClock } = await import('../../src/base/index.ts');
    const gateway = await startGateway({
      config: (await config(test)).config,
      clock: systemClock,
      log: silentLog,
      environment: {},
    });
    const ask = () =>
      new Promise<{ status: number; subject: string; headers: NodeJS.Dict<string | string[]> }>(
        (resolve, reject) => {
          const request = httpsRequest(
            `https://127.0.0.1:${test.port}/mcp`,
            { method: 'POST', rejectUnauthorized: false, agent: false },
            (response) => {
              const { subject } = (response.socket as TLSSocket).getPeerCertificate();
              response.resume();
              resolve({
                status: response.statusCode ?? 0,
                subject: String(subject.CN),
                headers: response.headers,
              });
            },
          );
          request.on('error', reject).end();
        },
      );
    try {
      const first = await ask();
      assert.deepEqual([first.status, first.subject], [401, 'first']);
      assert.ok(first.headers['strict-transport-security']);
      assert.match(String(first.headers['www-authenticate']), /resource_metadata="https:/);
      certificate('second');
      await until(async () => assert.equal((await ask()).subject, 'second'), 8000);
      await assert.rejects(fetch(`http://127.0.0.1:${test.port}/mcp`));
    } finally {
      await gateway.close();
      await test.close();
      await upstream.close();
    }
  });
});
