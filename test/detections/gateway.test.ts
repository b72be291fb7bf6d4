import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { queryAudit, type StoredEvent } from '../../src/audit/index.ts';
import { type Receiver, startReceiver } from '../alerts/receiver.ts';
import {
  allScopes,
  callTool,
  modernCall,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

const secret = 'a secret of the receiver';
let upstream: FixtureServer;
let receiver: Receiver;
let test: TestGateway;
const logged: string[] = [];
const line = (fields: object, message: string) => void logged.push(`${JSON.stringify(fields)} ${message}`);

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  receiver = await startReceiver(secret);
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
    rest: [
      `alerts: { webhook: { url: "${receiver.url}", secret: { env: HOOK } } }`,
      'detections: { toolEnumeration: { count: 4, within: 10m } }',
    ].join('\n'),
    environment: { HOOK: secret },
    log: { debug: line, info: line, warn: line, error: line },
  });
});

after(async () => {
  await test.close();
  await upstream.close();
  await receiver.stop();
});

function recorded(name: string): StoredEvent[] {
  return [...queryAudit(test.dataDir, { events: true })].filter(
    (entry): entry is StoredEvent => entry.phase === 'event' && entry.event === `detection.${name}`,
  );
}

const alerted = (name: string) => receiver.taken.filter(({ alert }) => alert.type === `detection.${name}`);

async function isTold(name: string): Promise<void> {
  await until(() => assert.equal(recorded(name).length, 1, `detection.${name} in the trail`));
  await until(() => assert.equal(alerted(name).length, 1, `an alert ${name}`));
  assert.ok(alerted(name).every(({ isGenuine }) => isGenuine));
  assert.ok(
    logged.some((text) => text.includes(`"detection":"${name}"`)),
    'the log',
  );
}

describe('a running gateway', () => {
  it('tells of a burst of bad tokens, once, by trail, webhook and log', async () => {
    for (let index = 0; index < 25; index++)
      await callTool(test.url, `nonsense-${index}`, 'echo', { text: 'x' });
    await isTold('denied_burst');
    assert.equal(recorded('denied_burst')[0]?.address, '127.0.0.1');
    assert.equal(recorded('denied_burst')[0]?.client_id, null);
  });

  it('tells of a token for another service', async () => {
    const token = await test.token(allScopes, { aud: 'https://elsewhere.example/mcp' });
    for (let index = 0; index < 3; index++) await callTool(test.url, token, 'echo', { text: 'x' });
    await isTold('wrong_audience');
  });

  it('tells of tools that somebody guesses, by the threshold of the configuration', async () => {
    const token = await test.token(allScopes, { sub: 'mallory', client_id: 'mallory-client' });
    for (let index = 0; index < 4; index++) await callTool(test.url, token, `guess_${index}`);
    await until(() => assert.equal(recorded('tool_enumeration').length, 2));
    const [one] = recorded('tool_enumeration').filter(({ subject }) => subject === 'mallory');
    assert.ok(one);
  });

  it('tells of headers that contradict the body', async () => {
    const token = await test.token(allScopes);
    for (let index = 0; index < 3; index++) {
      const call = { method: 'tools/call', params: { name: 'echo', arguments: { text: 'x' } } };
      await modernCall(test.url, token, { ...call, headers: { 'mcp-name': 'delete_note' } });
    }
    await until(() => assert.ok(recorded('header_mismatch').length >= 1));
  });

  it('tells of a reload', async () => {
    const { loadConfig } = await import('../../src/config/index.ts');
    const environment = { HOOK: secret };
    const { config } = await loadConfig({ file: test.configFile, environment, cwd: test.dataDir });
    await test.gateway.reload(config);
    await isTold('configuration_changed');
  });

  it('keeps what an attacker writes from driving anything', async () => {
    const token = await test.token(allScopes, { sub: 'eve', client_id: 'eve\u001b[31m\u202eclient' });
    for (let index = 0; index < 4; index++) {
      const params = { name: `x\u001b]0;title\u0007\n{"forged":1}\u202e${index}`, arguments: {} };
      await modernCall(test.url, token, {
        method: 'tools/call',
        params,
        headers: { 'mcp-name': '=?base64?eA==?=' },
      });
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${token}`,
      };
      await fetch(test.url, { method: 'POST', headers, body });
    }
    await until(() => assert.ok(recorded('tool_enumeration').some(({ subject }) => subject === 'eve')));
    await until(() =>
      assert.ok(alerted('tool_enumeration').some(({ alert }) => alert.data['subject'] === 'eve')),
    );
    const everything = [...logged, ...receiver.attempts.map(({ body }) => body)].join('\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    assert.doesNotMatch(everything, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });
});
