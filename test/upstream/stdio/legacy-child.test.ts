import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/protocol/index.ts';
import { everything, legacyClient, modernClient, upstreamFor } from './harness.ts';

const { upstream } = upstreamFor(everything);
after(() => upstream.close());

test('a legacy client talks to a legacy child', async () => {
  await upstream.start();
  assert.equal(upstream.state(), 'ready');
  const client = await legacyClient(upstream);
  const tools = await client.send('tools/list').done;
  assert.equal(tools.head?.status, 200);
  assert.equal(tools.head?.contentType, 'application/json');
  assert.equal(tools.head?.contentLength, Buffer.byteLength(tools.body));
  assert.ok((tools.result['tools'] as JsonObject[]).some((tool) => tool['name'] === 'echo'));
  const echo = await client.call('echo', { message: 'hello' }, 'my-id').done;
  assert.equal(echo.json['id'], 'my-id');
  assert.match(echo.body, /hello/);
  assert.equal(Object.hasOwn(echo.result, 'resultType'), false);
});

test('a modern client talks to a legacy child', async () => {
  const client = modernClient(upstream);
  const discovered = await client.send('server/discover').done;
  assert.deepEqual(discovered.result['supportedVersions'], ['2026-07-28']);
  assert.equal(discovered.result['resultType'], 'complete');
  assert.equal(discovered.result['cacheScope'], 'private');
  const capabilities = discovered.result['capabilities'] as JsonObject;
  assert.ok(capabilities['tools']);
  assert.equal(capabilities['logging'], undefined);
  assert.equal(capabilities['tasks'], undefined);
  const tools = await client.send('tools/list').done;
  assert.equal(tools.result['resultType'], 'complete');
  assert.equal(tools.result['ttlMs'], 0);
  assert.equal(tools.result['cacheScope'], 'private');
  const echo = await client.call('echo', { message: 'hello' }).done;
  assert.equal(echo.result['resultType'], 'complete');
  assert.equal(Object.hasOwn(echo.result, 'ttlMs'), false);
});

test('progress turns the answer into an event stream, with the token of the client', async () => {
  for (const client of [modernClient(upstream), await legacyClient(upstream)]) {
    const params = { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } };
    const answer = await client.send('tools/call', { ...params, _meta: { progressToken: 'mine' } }, 7).done;
    assert.equal(answer.head?.contentType, 'text/event-stream');
    assert.equal(answer.head?.contentLength, null);
    assert.ok(answer.events.length >= 2);
    const notifications = answer.events.slice(0, -1);
    for (const event of notifications) {
      assert.equal(event['method'], 'notifications/progress');
      assert.equal((event['params'] as JsonObject)['progressToken'], 'mine');
    }
    assert.equal(answer.last['id'], 7);
  }
});

test('the file system server reads a file for clients of either era', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-'));
  const server = 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js';
  const files = upstreamFor([process.execPath, server, directory]);
  try {
    const path = join(directory, 'a.txt');
    await writeFile(path, 'from the file');
    for (const client of [modernClient(files.upstream), await legacyClient(files.upstream)]) {
      assert.match((await client.call('read_text_file', { path }).done).body, /from the file/);
      const outside = await client.call('read_text_file', { path: '/etc/hostname' }).done;
      assert.equal(outside.result['isError'], true);
    }
  } finally {
    await files.upstream.close();
    await rm(directory, { recursive: true });
  }
});
