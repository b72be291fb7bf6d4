import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { openStopFile, type Stop, type StopTarget } from '../../src/stops/index.ts';
import { run } from '../cli/support/run.ts';
import {
  allScopes,
  callTool,
  modernCall,
  rpc,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';

let upstream: FixtureServer;
let test: TestGateway;
let token: string;

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  test = await startTestGateway({
    servers: [
      `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      `  second: { path: /second/mcp, upstream: { url: "${upstream.url}" } }`,
    ].join('\n'),
    audience: ['/mcp', '/second/mcp'],
    rest: [
      'tools:',
      '  - { match: "*", scope: mcp:tools:read, limit: 4/min }',
      'limits: { client: 1000/min }',
    ].join('\n'),
  });
  token = await test.token(allScopes, { org: 'acme', client_id: 'robot' });
});

after(async () => {
  await test.close();
  await upstream.close();
});

let stopped: Stop[] = [];
let number = 0;

/** Stops as another process would, and waits for nothing. */
async function stop(target: Pick<StopTarget, 'kind' | 'name'> & Partial<StopTarget>): Promise<Stop> {
  number += 1;
  const entry: Stop = {
    server: null,
    issuer: null,
    ...target,
    id: `${number}`,
    reason: 'a test',
    by: 'me',
    at: 1,
    resumed: null,
  };
  stopped.push(entry);
  await merge([entry]);
  return entry;
}

async function merge(stops: readonly Stop[]): Promise<void> {
  const file = openStopFile(test.dataDir);
  await file.merge(stops);
  await file.close();
}

afterEach(async () => {
  await merge(stopped.map((entry) => ({ ...entry, resumed: { by: 'me', at: 2 } })));
  stopped = [];
  await until(async () =>
    assert.equal(await reasonOf(await modernCall(test.url, token, { method: 'tools/list' })), null),
  );
});

/** Why a call was refused, or null. */
async function reasonOf(response: Response): Promise<unknown> {
  const { result, error } = await rpc(response);
  const meta = result?.['_meta'] as Record<string, unknown> | undefined;
  return error?.data?.['reason'] ?? meta?.['portcullis/reason'] ?? null;
}

const list = async (url = test.url): Promise<string[]> => {
  const { result } = await rpc(await modernCall(url, token, { method: 'tools/list' }));
  return ((result?.['tools'] ?? []) as { name: string }[]).map(({ name }) => name);
};

const refused = (check: () => Promise<Response>): Promise<void> =>
  until(async () => assert.equal(await reasonOf(await check()), 'stopped'), 1000);

describe('the kill switch', () => {
  it('by the command line: refused within a second, on record with its rule, and resumed', async () => {
    const typed = (...words: string[]) =>
      run([...words, '--data', test.dataDir, '--json'], { cwd: test.dataDir });
    const { stdout, code } = await typed('stop', 'tool', 'ech?', '--reason', 'it shouts');
    assert.equal(code, 0);
    const { id, warnings, by } = JSON.parse(stdout);
    assert.match(by, /.@./);
    assert.match(warnings[0], /no call on record/);
    await refused(() => callTool(test.url, token, 'echo', { text: 'x' }));
    const answer = await rpc(await callTool(test.url, token, 'echo', { text: 'x' }));
    assert.equal(answer.result?.['isError'], true);
    assert.doesNotMatch(JSON.stringify(answer), /shouts/, 'the reason is for the operator');
    assert.equal(JSON.parse((await typed('stop', 'list')).stdout).stops[0].name, 'ech?');
    assert.equal(JSON.parse((await typed('stop', 'tool', 'ech?')).stdout).already, true);
    assert.equal((await typed('resume', 'tool', 'ech?')).code, 0);
    await until(async () => {
      assert.equal(await reasonOf(await callTool(test.url, token, 'echo', { text: 'x' })), null);
    });
    const record = (await test.records()).findLast(({ reason }) => reason === 'stopped');
    assert.equal(record?.result, 'denied_policy');
    assert.equal(record?.rule, `stop ${id}`);
    assert.match(record?.detail ?? '', /it shouts/);
    const events = (
      await run(['audit', 'query', '--events', '--json', '--data', test.dataDir], { cwd: test.dataDir })
    ).stdout;
    for (const event of [
      'kill_switch.stopped',
      'kill_switch.applied',
      'kill_switch.resumed',
      'kill_switch.lifted',
    ]) {
      assert.ok(events.includes(event), event);
    }
  });

  it('takes no tokens: as many calls as the limit has are left afterwards', async () => {
    await stop({ kind: 'tool', name: 'write_note' });
    const add = (id: number) => callTool(test.url, token, 'write_note', { name: `n${id}`, body: 'x' });
    const listed = async (is: boolean) => assert.equal((await list()).includes('write_note'), is);
    await until(() => listed(false), 1000);
    for (let index = 0; index < 10; index += 1) assert.equal(await reasonOf(await add(index)), 'stopped');
    await merge(stopped.map((entry) => ({ ...entry, resumed: { by: 'me', at: 2 } })));
    await until(() => listed(true));
    for (let index = 1; index <= 4; index += 1) assert.equal(await reasonOf(await add(index)), null);
    assert.equal(await reasonOf(await add(5)), 'limit_tool');
  });

  it('takes a stopped tool out of the list: what is wrong with it may be its description', async () => {
    assert.ok((await list()).includes('slow_report'));
    await stop({ kind: 'tool', name: 'slow_*' });
    await until(async () => assert.ok(!(await list()).includes('slow_report')), 1000);
    assert.ok((await list()).includes('echo'));
  });

  it('of a client, organization or server holds for every operation, and for nobody else', async () => {
    const other = await test.token(allScopes, { org: 'globex', client_id: 'person', sub: 'bob' });
    const operations = [
      { method: 'tools/list' },
      { method: 'server/discover' },
      { method: 'resources/list' },
      { method: 'ping' },
      { method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true } } },
    ];
    for (const target of [
      { kind: 'client', name: 'robot' },
      { kind: 'organization', name: 'acme' },
    ] as const) {
      const entry = await stop(target);
      await refused(() => modernCall(test.url, token, { method: 'tools/list' }));
      for (const operation of operations) {
        assert.equal(
          await reasonOf(await modernCall(test.url, token, operation)),
          'stopped',
          operation.method,
        );
      }
      assert.equal(await reasonOf(await modernCall(test.url, other, { method: 'tools/list' })), null);
      await merge([{ ...entry, resumed: { by: 'me', at: 2 } }]);
      await until(async () => assert.ok((await list()).length > 0));
    }
    await stop({ kind: 'server', name: 'second' });
    const second = test.url.replace('/mcp', '/second/mcp');
    const there = await test.token(allScopes, { aud: second, client_id: 'robot' });
    await refused(() => modernCall(second, there, { method: 'tools/list' }));
    assert.equal(await reasonOf(await modernCall(test.url, token, { method: 'tools/list' })), null);
  });

  it('ends calls that are under way, here and at the server behind', async () => {
    const running = callTool(test.url, token, 'slow_report', { steps: 1000, delayMs: 50 });
    const text = running.then((response) => response.text()).catch(() => 'cut');
    await until(() => assert.equal(upstream.running(), 1));
    await stop({ kind: 'tool', name: 'slow_report' });
    await text;
    await until(() => assert.equal(upstream.running(), 0), 1000);
    const record = (await test.records()).findLast(({ tool_name }) => tool_name === 'slow_report');
    assert.equal(record?.reason, 'stopped');
    assert.equal(record?.result, 'denied_policy');
  });

  it('ends streams that are open', async () => {
    const listening = await modernCall(test.url, token, {
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    });
    assert.equal(listening.status, 200);
    await until(() => assert.equal(upstream.subscriptions(), 1));
    const ended = listening.text().then(
      () => 'ended',
      () => 'cut',
    );
    await stop({ kind: 'client', name: 'robot' });
    assert.equal(await ended, 'cut');
    await until(() => assert.equal(upstream.subscriptions(), 0));
  });

  it('lets no call through that races with it: each ends stopped, or left before', async () => {
    const name = 'echo_headers';
    let going = true;
    const racing = Array.from({ length: 8 }, async () => {
      const reasons: unknown[] = [];
      while (going) reasons.push(await reasonOf(await callTool(test.url, token, name)));
      return reasons;
    });
    await stop({ kind: 'tool', name });
    await refused(() => callTool(test.url, token, name));
    const arrived = () => upstream.requests.filter((request) => request.name === name).length;
    const before = arrived();
    await new Promise((resolve) => setTimeout(resolve, 100)); // while they go on calling
    going = false;
    for (const reasons of await Promise.all(racing)) {
      assert.ok(!reasons.slice(reasons.indexOf('stopped')).includes(null), 'stopped, then passed');
    }
    assert.equal(arrived(), before, 'something reached the server');
  });
});
