import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, it } from 'node:test';
import type { Log } from '../../src/base/index.ts';
import { allScopes, callTool, modernCall, rawRequest, startTestGateway } from '../gateway/support.ts';
import { bytes, good, startHostileUpstream } from './hostile-upstream.ts';

const canaries = {
  argument: 'canary-argument-5d1f',
  query: 'canary-query-5d1f',
  cookie: 'canary-cookie-5d1f',
  header: 'canary-header-5d1f',
  credential: 'canary-credential-5d1f',
  session: 'canary-session-5d1f',
  answer: 'canary-answer-5d1f',
  body: 'canary-body-5d1f',
};

function recordingLog(lines: string[]): Log {
  const write = (fields: object, message: string): void => {
    lines.push(JSON.stringify(fields) + message);
  };
  return { debug: write, info: write, warn: write, error: write };
}

async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && entry.name !== 'portcullis.yaml')
      found.set(relative(directory, path), await readFile(path));
  }
  return found;
}

describe('what callers and upstreams say in confidence', () => {
  it('is in no log, record, file or reply', async () => {
    const lines: string[] = [];
    const replies: string[] = [];
    const upstream = await startHostileUpstream();
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}?tag=${canaries.query}", timeout: 1s, headers: { x-api-key: { env: KEY } } } }`,
      rest: 'limits: { client: 12/min }',
      environment: { KEY: canaries.credential },
      log: recordingLog(lines),
    });
    const reply = async (answer: Response): Promise<void> => {
      replies.push(JSON.stringify([...answer.headers]), await answer.text().catch(() => ''));
    };
    try {
      const tokens = [
        await test.token(allScopes),
        await test.token('mcp:tools:none', { sub: 'bob' }),
        await test.token(allScopes, { exp: 1 }),
        await test.token(allScopes, { aud: 'https://other.example' }),
        await test.issuer.sign({ aud: test.url }, { kid: 'unknown' }),
        'not.a.token-canary-5d1f',
      ];
      const args = { text: canaries.argument, [canaries.argument]: [{ deep: canaries.argument }] };
      const headers = {
        cookie: `a=${canaries.cookie}`,
        'x-api-key': canaries.header,
        'mcp-param-x': canaries.header,
      };
      const call = (token: string | null) =>
        modernCall(`${test.url}?q=${canaries.query}`, token, {
          method: 'tools/call',
          params: { name: 'echo', arguments: args },
          headers,
        });
      upstream.answer(good);
      for (const token of [null, ...tokens]) await reply(await call(token));
      await reply(await fetch(`${test.url}?access_token=${tokens[0]}`, { method: 'POST' }));
      await reply(await call(`${tokens[0]}, Bearer ${tokens[1]}`));
      // Broken bodies and headers
      for (const body of [
        `{"a":"${canaries.body}`,
        `["${canaries.body}"]`,
        `{"jsonrpc":"${canaries.body}"}`,
      ]) {
        const authorization = `Bearer ${tokens[0]}`;
        await reply(
          await fetch(test.url, {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body,
          }),
        );
      }
      replies.push(
        await rawRequest(
          test.port,
          `GET / HTTP/1.1\r\nauthorization: Bearer ${tokens[0]}\r\nbroken\x01: x\r\n\r\n`,
        ),
      );
      // Upstreams that repeat what they were told, in whatever breaks
      for (const answer of [
        bytes([
          `HTTP/1.1 401 ${canaries.credential}`,
          `WWW-Authenticate: ${canaries.credential}`,
          'Content-Length: 0',
        ]),
        bytes(['HTTP/1.1 200 OK', `X\x01: ${canaries.credential}`], canaries.answer),
        bytes(['HTTP/1.1 302 x', `Location: https://x/?${canaries.credential}`, 'Content-Length: 0']),
        bytes(
          ['HTTP/1.1 200 OK', `Mcp-Session-Id: ${canaries.session}`, 'Content-Length: 3'],
          canaries.answer,
        ),
        bytes([canaries.answer]),
      ]) {
        await upstream.hangUp();
        upstream.answer(answer);
        await reply(await call(tokens[0] ?? ''));
      }
      await upstream.close();
      for (let i = 0; i < 8; i++) await reply(await call(tokens[0] ?? ''));
      const records = await test.records();
      assert.ok(records.length > 20);
      const reasons = new Set(records.map(({ reason }) => reason));
      for (const reason of [
        'upstream_invalid',
        'upstream_unavailable',
        'limit_client',
        'token_signature',
        'malformed_json',
      ])
        assert.ok(reasons.has(reason), `${reason} was not reached: ${[...reasons]}`);
      await test.gateway.close();
      const secrets = [
        ...Object.values(canaries),
        ...tokens,
        ...tokens.flatMap((token) => token.split('.').slice(1)),
      ];
      const files = await filesOf(test.dataDir);
      assert.ok(files.has('audit.db'));
      assert.ok(lines.length > 0);
      for (const secret of secrets.filter((text) => text.length > 12)) {
        for (const [name, content] of files) assert.ok(!content.includes(secret), `${secret} in ${name}`);
        for (const text of [...lines, ...replies])
          assert.ok(!text.includes(secret), `${secret} in ${text.slice(0, 300)}`);
      }
      for (const entry of upstream.seen) {
        const text = JSON.stringify(entry.headers);
        for (const secret of [...tokens, canaries.cookie])
          assert.ok(!text.includes(secret), 'a credential went upstream');
        assert.equal(entry.headers['x-api-key'], canaries.credential);
      }
    } finally {
      await test.close();
    }
  });
});

describe('the hash of arguments', () => {
  it('is the same however the arguments are written', async () => {
    const upstream = await startHostileUpstream();
    const test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    });
    try {
      upstream.answer(good);
      const token = await test.token(allScopes);
      await callTool(test.url, token, 'echo', { b: 1, a: 'x' });
      await callTool(test.url, token, 'echo', { a: 'x', b: 1.0 });
      const hashes = (await test.records()).map(({ arguments_hash }) => arguments_hash);
      assert.equal(new Set(hashes).size, 1);
    } finally {
      await test.close();
      await upstream.close();
    }
  });
});
