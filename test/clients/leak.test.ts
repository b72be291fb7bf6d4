import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { queryObjects } from 'node:v8';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { type IssuedGateway, startIssuedGateway } from './gateway.ts';
import {
  legacyCall,
  modernCall,
  modernRequest,
  openSession,
  post,
  type RawAnswer,
  send,
  textOfAnswer,
} from './raw-client.ts';

const clients = 200;
const atOnce = 20;

describe('200 clients come and go, half of them in mid-stream', () => {
  it('leaves nothing behind, HTTP upstream', async () => {
    const before = resources();
    const fixture = await startFixtureServer();
    const issued = await startIssuedGateway({ url: fixture.url });
    try {
      await comeAndGo(issued, atOnce);
      const warm = await census();
      await comeAndGo(issued, clients);
      assert.equal(await settled(fixture.running, 0), 0, 'the upstream works for clients that are gone');
      assert.equal(await settled(fixture.openAnswers, 0), 0, 'streams are left at the upstream');
      assert.equal(fixture.subscriptions(), 0, 'subscriptions are left at the upstream');
      assert.equal(await settled(fixture.connections, 0), 0, 'sockets are left at the upstream');
      await assertNoGrowth(warm);
    } finally {
      await issued.close();
      await fixture.close();
    }
    assert.deepEqual(await added(before), [], 'handles are left after the gateway closed');
  });

  it('leaves nothing behind, stdio upstream', async () => {
    const program = fileURLToPath(new URL('../support/fixture-server/stdio.ts', import.meta.url));
    const before = resources();
    const issued = await startIssuedGateway({ command: [process.execPath, program, 'legacy'] });
    let pid = 0;
    try {
      await comeAndGo(issued, atOnce);
      const warm = await census();
      await comeAndGo(issued, clients);
      const child = await settledChild(issued);
      pid = child.pid;
      assert.equal(child.running, 0, 'the child works for clients that are gone');
      await assertNoGrowth(warm);
    } finally {
      await issued.close();
    }
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'the child is still there');
    assert.deepEqual(await added(before), [], 'handles are left after the gateway closed');
  });
});

async function comeAndGo(issued: IssuedGateway, count: number): Promise<void> {
  for (let first = 0; first < count; first += atOnce)
    await Promise.all(Array.from({ length: atOnce }, (_, at) => visit(issued, first + at)));
}

/** Every client is another principal; every second one cuts its connections while its call, and a listening stream, run. */
async function visit(issued: IssuedGateway, number: number): Promise<void> {
  const client = await open(issued, number);
  if (number % 2 === 0)
    return assert.match(
      await textOfAnswer(await client.call('echo', { text: `${number}` })),
      new RegExp(`"text":"${number}"`),
    );
  const running = await client.call('slow_report', { steps: 40, delayMs: 20 });
  const streams = [await client.listen(), running];
  for (const { answer } of streams) {
    assert.equal(answer.statusCode, 200);
    answer.on('error', () => {});
  }
  await once(running.answer, 'data');
  for (const { call } of streams) call.destroy();
}

/** What the child says of itself, once it has nothing to do or time is up. */
async function settledChild(issued: IssuedGateway): Promise<{ running: number; pid: number }> {
  let child = { running: -1, pid: 0 };
  for (let tries = 0; tries < 20 && child.running !== 0; tries++) {
    const answer = await textOfAnswer(await (await open(issued, 0)).call('fixture_state', {}));
    const data = answer.match(/^(?:data: ?)?(\{"(?:jsonrpc|result|id).*)$/m)?.[1] ?? '{}';
    child = JSON.parse(JSON.parse(data).result.content[0].text);
    await sleep(100);
  }
  return child;
}

interface Client {
  call(name: string, args: Record<string, unknown>): Promise<RawAnswer>;
  /** Opens a stream that never ends by itself. */
  listen(): Promise<RawAnswer>;
}

/** Eras in turn. */
async function open(issued: IssuedGateway, number: number): Promise<Client> {
  const token = await issued.token({ sub: `user-${number}`, client_id: `client-${number}` });
  const target = { url: `${issued.gateway.origin}/mcp`, token };
  if (number % 4 < 2) {
    const ask = ({ headers, message }: ReturnType<typeof modernCall>) =>
      post({ ...target, headers }, message);
    const notifications = { toolsListChanged: true };
    return {
      call: (name, args) => ask(modernCall(name, args)),
      listen: () => ask(modernRequest('subscriptions/listen', { notifications })),
    };
  }
  const session = { ...target, headers: await openSession(target) };
  return { call: (name, args) => post(session, legacyCall(name, args)), listen: () => send('GET', session) };
}

/** Live objects after a collection, seconds of work: whatever map or listener still holds an exchange is counted. */
const watched = { ServerResponse, Socket };
type Census = Record<keyof typeof watched, number>;

async function census(): Promise<Census> {
  await sleep(50);
  return Object.fromEntries(
    Object.entries(watched).map(([name, type]) => [name, queryObjects(type, { format: 'count' })]),
  ) as Census;
}

/** A few are of idle keep-alive connections; 200 clients that leave one thing each would be far beyond. */
async function assertNoGrowth(before: Census): Promise<void> {
  const allowance = 20;
  let now = await census();
  for (let tries = 0; tries < 3 && grown(before, now, allowance).length > 0; tries++) {
    await sleep(1000);
    now = await census();
  }
  assert.deepEqual(grown(before, now, allowance), [], `${JSON.stringify(before)} → ${JSON.stringify(now)}`);
}

function grown(before: Census, now: Census, allowance: number): string[] {
  return Object.keys(watched).filter((name) => {
    const key = name as keyof Census;
    return now[key] > before[key] + allowance;
  });
}

/** What keeps the process alive, by kind; the clients' own idle connections and timers end by themselves. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The kinds of which there are more than before, once what ends by itself has ended. */
async function added(before: Record<string, number>): Promise<string[]> {
  const more = () => Object.entries(resources()).filter(([kind, count]) => count > (before[kind] ?? 0));
  for (let tries = 0; tries < 100 && more().length > 0; tries++) await sleep(100);
  return more().map(([kind, count]) => `${kind}: ${before[kind] ?? 0} → ${count}`);
}

/** Longer than a keep-alive lasts on either side. */
async function settled(read: () => number, expected: number): Promise<number> {
  for (let tries = 0; tries < 100 && read() !== expected; tries++) await sleep(100);
  return read();
}
