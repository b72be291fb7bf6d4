import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { alice } from '../authorization-server/support.ts';
import { until } from '../gateway/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { freePort, generousLimits, startTestGateway, type TestGateway } from './gateway.ts';
import { actAsPerson, clientEnvironment, clientHome, installed } from './program.ts';
import { textOf } from './sdk-client.ts';

const mcpRemote = installed('mcp-remote', 'mcp-remote');

describe(`mcp-remote ${mcpRemote.version}, from 401 to a call`, () => {
  let fixture: FixtureServer;
  let gateway: TestGateway;
  before(async () => {
    fixture = await startFixtureServer();
    gateway = await startTestGateway({
      accounts: [{ ...alice, role: 'admin' }],
      config: { servers: { only: { upstream: { url: fixture.url } } }, limits: generousLimits },
    });
  });
  after(async () => {
    await gateway.close();
    await fixture.close();
  });

  /** As a desktop host starts it: a subprocess that speaks MCP on its standard streams. */
  async function startRemote(t: TestContext, home: string, parameters: readonly string[] = []) {
    const url = gateway.servers[0]?.url ?? '';
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [mcpRemote.file, url, String(await freePort()), ...parameters],
      env: clientEnvironment(home),
      cwd: home,
      stderr: 'pipe',
    });
    assert.ok(transport.stderr instanceof Readable);
    const person = actAsPerson(transport.stderr);
    const client = new Client({ name: 'desktop', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    t.after(() => client.close());
    await client.connect(transport).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${person.text()}`);
    });
    const call = async (name: string, args: Record<string, unknown>) =>
      textOf(await client.callTool({ name, arguments: args }, { timeout: 10_000 }));
    return { client, person, call };
  }

  for (const [era, parameters] of [
    ['2025-11-25', []],
    ['2026-07-28', ['--protocol', 'auto']],
  ] as const)
    it(`in ${era}`, { timeout: 90_000 }, async (t) => {
      const { call, person } = await startRemote(t, clientHome(t), parameters);
      assert.equal(await call('echo', { text: 'seen' }), 'seen');
      assert.equal(person.asked.length, 1);
      const seen = fixture.requests.findLast(({ name }) => name === 'echo');
      assert.equal(seen?.headers['mcp-protocol-version'], era);
      assert.equal(seen?.headers.authorization, undefined);
    });

  it('with the tokens that it kept, asking nobody', { timeout: 90_000 }, async (t) => {
    const home = clientHome(t);
    const first = await startRemote(t, home);
    await first.client.close();
    const second = await startRemote(t, home);
    assert.equal(await second.call('echo', { text: 'again' }), 'again');
    assert.deepEqual(second.person.asked, []);
  });

  it('steps up from read to write', { timeout: 90_000 }, async (t) => {
    const { call, person } = await startRemote(t, clientHome(t));
    assert.equal(await call('write_note', { name: 'remote', body: 'b' }), 'wrote remote');
    assert.equal(person.asked.length, 2, person.text());
  });

  it('asks once more when its tokens are revoked, and does not go in circles', {
    timeout: 90_000,
  }, async (t) => {
    const home = clientHome(t);
    const { call, person } = await startRemote(t, home);
    await call('echo', { text: 'in' });
    const kept = globSync('.mcp-auth/**/*_tokens.json', { cwd: home }).map((file) => join(home, file));
    const { refresh_token } = JSON.parse(readFileSync(kept[0] ?? '', 'utf8')) as { refresh_token: string };
    const client_id = new URL(person.asked[0] ?? '').searchParams.get('client_id') ?? '';
    const body = new URLSearchParams({ token: refresh_token, client_id });
    assert.equal((await fetch(`${gateway.issuer}/revoke`, { method: 'POST', body })).status, 200);
    // A call that it holds while the person signs in may be lost: a host asks again.
    await until(async () => assert.equal(await call('echo', { text: 'back' }), 'back'), 45_000);
    // Its stream and its call come back on their own: each may ask. After that it is quiet.
    const asked = person.asked.length;
    assert.ok(asked >= 2 && asked <= 5, `asked ${asked} times\n${person.text()}`);
    await sleep(1500);
    assert.equal(person.asked.length, asked, person.text());
  });
});
