import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startWorld, until, type World } from './canary/world.ts';
import {
  assertInert,
  assertInertJson,
  hostile,
  inHeader,
  marker,
  withLoneSurrogate,
} from './injection/hostile.ts';
import { startHostileServer } from './injection/server.ts';

/** Files that are no text: what reads them is in the table of commands. */
const isText = (place: string) => !/\.db|\.key$|\.json$|process list|terminal of a command/.test(place);

it('whatever a caller, a token or a server says, it drives no log, copy, collector or webhook', {
  timeout: 120_000,
}, async (t) => {
  const server = await startHostileServer();
  t.after(() => server.close());
  const world = await startWorld(t, {
    servers: () => `
  main: { path: /main/mcp, upstream: { url: "${server.url}/mcp", timeout: 2s } }
  locked: { path: /locked/mcp, upstream: { url: "${server.url}/locked/mcp", timeout: 2s } }`,
  });
  await askAll(world);
  await until(() => {
    const places = world.places();
    for (const place of [
      'standard output',
      'copy.jsonl',
      'what /webhook got',
      'what /otlp got',
      'what /alerts got',
    ])
      assert.match(places.get(place) ?? '', new RegExp(marker), place);
  }, 15_000);
  assert.equal(await world.running.stop(), 0);
  for (const [place, bytes] of world.places()) {
    if (!isText(place) || place === 'an answer') continue;
    const text = /jsonl|note|got$/.test(place) ? Buffer.from(bytes, 'latin1').toString() : bytes;
    if (/standard output|jsonl/.test(place)) assertInertJson(text, place);
    else assertInert(text, place);
  }
  for (const line of world.running
    .stderr()
    .split('\n')
    .filter((one) => one !== ''))
    JSON.parse(line);
});

async function askAll(world: World): Promise<void> {
  const claims = {
    sub: hostile,
    client_id: hostile,
    client_name: hostile,
    jti: hostile,
    org: hostile,
    scope: `mcp:tools:read ${hostile}`,
  };
  const headers = {
    'user-agent': inHeader,
    'mcp-name': named(hostile),
    traceparent: inHeader,
    baggage: inHeader,
  };
  // More than once: a burst of refusals is an alert.
  for (let round = 0; round < 12; round++) {
    for (const tool of [hostile, 'read_note', 'delete_note'])
      await world.send({
        token: await world.token(claims),
        tool,
        headers: { ...headers, 'mcp-name': named(tool) },
      });
  }
  await world.send({ token: await world.token(), tool: withLoneSurrogate, headers });
  for (const message of [
    { method: hostile },
    { method: 'resources/read', params: { uri: hostile } },
    { method: 'prompts/get', params: { name: hostile } },
    { method: 'tools/list' },
  ]) {
    const method = message.method === hostile ? 'x' : message.method;
    await world.send({
      token: await world.token(claims),
      message,
      headers: { ...headers, 'mcp-method': method },
    });
  }
  await world.send({ token: null, tool: hostile, headers });
  await world.send({ token: await world.token({ ...claims, aud: hostile }), headers });
  await world.send({ server: 'locked', token: await world.token(claims), headers });
  await world.raw(`POST /main/mcp?${inHeader} HTTP/1.1\r\nHost: ${inHeader}\r\n\r\n`);
}

/** The Base64 form of MCP 2026-07-28 for what a header cannot carry. */
function named(tool: string): string {
  return `=?base64?${Buffer.from(tool).toString('base64')}?=`;
}
