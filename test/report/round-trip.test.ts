import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import { run } from '../cli/support/run.ts';
import { callTool, rpc, startTestGateway, type TestGateway } from '../gateway/support.ts';
import { type DriftingServer, startDriftingServer, tool } from '../pins/drifting-server.ts';

// A server that was open: its traffic is watched, becomes a policy, the policy is put in force, the same traffic passes, and what was
// never part of it does not.

let upstream: DriftingServer;
let test: TestGateway;

before(async () => {
  upstream = await startDriftingServer([
    tool('search'),
    tool('create', { annotations: { readOnlyHint: false } }),
    tool('drop_everything', { annotations: { destructiveHint: true } }),
    tool('unused'),
  ]);
  test = await startTestGateway({
    servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}", timeout: 2s } }`,
    rest: 'mode: observe\nlimits: { client: none, organization: none }',
  });
  await test.gateway.started;
});

after(async () => {
  await test.close();
  await upstream.close();
});

const reader = (scope = 'mcp:tools:read') => test.token(scope, { sub: 'reader', client_id: 'dashboard' });
const writer = (scope = 'mcp:tools:read') => test.token(scope, { sub: 'writer', client_id: 'robot' });
const passes = async (token: string, name: string, args: Record<string, unknown> = {}) =>
  (await rpc(await callTool(test.url, token, name, args))).result !== undefined;

async function traffic(tokens: { reader: string; writer: string }): Promise<boolean[]> {
  const seen: boolean[] = [];
  for (let turn = 0; turn < 30; turn++) seen.push(await passes(tokens.reader, 'search', { turn }));
  for (let turn = 0; turn < 5; turn++) seen.push(await passes(tokens.writer, 'create', { turn }));
  return seen;
}

const report = (...more: string[]) => run(['report', '--data', test.dataDir, ...more], { cwd: test.dataDir });

describe('from traffic to policy', () => {
  it('is watched, reported, put in force, and holds', async () => {
    const open = await traffic({ reader: await reader(), writer: await writer() });
    assert.ok(open.every(Boolean), 'nothing is refused while it is observed');
    // Somebody makes up names; no server lists them, so no rule names them.
    await callTool(test.url, await reader(), 'made_up" } - { match: "*', {});
    await test.records();

    const { stdout } = await report('--json');
    const seen = JSON.parse(stdout) as {
      policy: string;
      clients: { client: string; needs: string[] }[];
      wouldDeny: { layer: string; reason: string; tool: string; calls: number }[];
      unused: { tool: string }[];
      limits: { client: number };
    };
    assert.deepEqual(seen.clients.find(({ client }) => client === 'robot')?.needs, ['mcp:tools:write']);
    assert.deepEqual(
      seen.unused.map((one) => one.tool),
      ['drop_everything', 'unused'],
    );
    const denied = seen.wouldDeny.find((one) => one.tool === 'create');
    assert.deepEqual([denied?.layer, denied?.reason, denied?.calls], ['scopes', 'scope_missing', 5]);
    assert.equal(seen.limits.client, 62); // thirty-one in a minute, twice

    const policy = (await report('--policy')).stdout;
    const withoutHead = (yaml: string) => yaml.trim().split('\n').slice(1); // which says when
    assert.deepEqual(withoutHead(policy), withoutHead(seen.policy));
    const text = await readFile(test.configFile, 'utf8');
    const enforced = text.replace('mode: observe\n', '').replace(/^limits: .*$/m, '');
    await writeFile(test.configFile, `${enforced}\n${policy}`);
    const checked = await run(['config', 'check', '--config', test.configFile], { cwd: test.dataDir });
    assert.equal(checked.code, 0, checked.stderr);
    const { config } = await loadConfig({ file: test.configFile, environment: {}, cwd: test.dataDir });
    await test.gateway.reload(config);

    const granted = { reader: await reader(), writer: await writer('mcp:tools:write') };
    assert.ok((await traffic(granted)).every(Boolean), 'the same traffic passes');

    assert.equal(await passes(await writer('mcp:tools:admin'), 'drop_everything'), false);
    assert.equal(await passes(granted.reader, 'create'), false);
    assert.equal(await passes(granted.reader, 'unused'), false);
    const burst: boolean[] = [];
    for (let turn = 0; turn < 80; turn++)
      burst.push(await passes(granted.reader, 'search', { turn, burst: true }));
    assert.ok(burst.includes(false), 'a burst is refused');
  });

  it('says it in words, with nothing of a caller that a terminal obeys', async () => {
    const { stdout, code } = await report('--percentile', '50', '--headroom', '1');
    assert.equal(code, 0);
    assert.match(stdout, /Clients, and the scopes/);
    assert.match(stdout, /made_up/);
    assert.match(stdout, /# left out: made_up" \} - \{ match: "\* of notes: no server lists it/);
    assert.equal((await report('--percentile', '101')).code, 2);
    assert.equal((await report('--headroom', '0.5')).code, 2);
  });
});
