import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { alice } from '../authorization-server/support.ts';
import { type FixtureServer, startFixtureServer } from '../support/fixture-server/index.ts';
import { freePort, generousLimits, startTestGateway, type TestGateway } from './gateway.ts';
import { clientHome, installed, runClient } from './program.ts';

const inspector = installed('@modelcontextprotocol/inspector', 'mcp-inspector');

describe(`Inspector CLI ${inspector.version}, from 401 to a call`, () => {
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

  const inspect = async (t: TestContext, era: string, parameters: readonly string[]) =>
    runClient(
      [
        inspector.file,
        '--cli',
        '--server-url',
        gateway.servers[0]?.url ?? '',
        '--transport',
        'http',
        '--protocol-era',
        era,
        '--callback-url',
        `http://127.0.0.1:${await freePort()}/oauth/callback`,
        '--format',
        'json',
        ...parameters,
      ],
      clientHome(t),
    );

  for (const era of ['legacy', 'modern'] as const)
    it(`in the ${era} era`, async (t) => {
      const { code, stdout, stderr, asked } = await inspect(t, era, [
        '--method',
        'tools/call',
        '--tool-name',
        'echo',
        '--tool-arg',
        'text=seen',
      ]);
      assert.equal(code, 0, stderr + stdout);
      assert.match(stdout, /"text":\s*"seen"/);
      assert.equal(asked.length, 1);
      const call = fixture.requests.findLast(({ name }) => name === 'echo');
      assert.equal(call?.headers['mcp-protocol-version'], era === 'modern' ? '2026-07-28' : '2025-11-25');
    });
});
