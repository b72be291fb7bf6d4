import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { diagnose, type Report } from '../../src/doctor/index.ts';
import { createOutbound } from '../../src/outbound/index.ts';
import { alice, signInAndConsent } from '../authorization-server/support.ts';
import { createProvider } from './provider.ts';
import { type ReplayGateway, startReplayGateway } from './replay-gateway.ts';
import { sdkClients } from './sdk-clients.ts';

// What the official clients really send until they are in, in order: `docs/clients.md` and the doctor's profiles follow this.

let running: ReplayGateway;
before(async () => {
  running = await startReplayGateway();
});
after(() => running.close());

/** Requests that leave through `fetch`, but for those of the person's browser. */
function watchFetch(t: TestContext): string[] {
  const lines: string[] = [];
  const real = globalThis.fetch;
  t.mock.method(globalThis, 'fetch', async (...given: Parameters<typeof fetch>) => {
    const url = new URL(given[0] instanceof Request ? given[0].url : given[0]);
    const answer = await real(...given);
    const { method = 'GET', body } = given[1] ?? {};
    const rpc = url.pathname === '/mcp' && typeof body === 'string' ? ` ${JSON.parse(body).method}` : '';
    if (!/^\/(oauth\/(authorize|interaction|login)|account)/.test(url.pathname))
      lines.push(`${method} ${url.pathname}${rpc} ${answer.status}`);
    return answer;
  });
  return lines;
}

const discovery = [
  'GET /.well-known/oauth-protected-resource/mcp 200',
  'GET /.well-known/oauth-authorization-server/oauth 200',
  'POST /oauth/register 201',
  'POST /oauth/token 200',
];

describe('the official clients send, in this order', () => {
  for (const sdk of sdkClients) {
    const opening = sdk.era === 'modern' ? 'server/discover' : 'initialize';
    it(`${sdk.label}: ${opening}, metadata by path, registration, token`, async (t) => {
      const lines = watchFetch(t);
      const provider = createProvider((url) => signInAndConsent(url, alice));
      const connection = await sdk.connect({ url: running.url, provider });
      try {
        assert.equal(await connection.call('echo', { text: 'seen' }), 'seen');
      } finally {
        await connection.close();
      }
      assert.deepEqual(lines.slice(0, 6), [
        `POST /mcp ${opening} 401`,
        ...discovery,
        `POST /mcp ${opening} 200`,
      ]);
    });
  }
});

describe('doctor, asked about the gateway', () => {
  let report: Report;
  before(async () => {
    const outbound = createOutbound();
    report = await diagnose(new URL(running.url), { outbound, clock: systemClock }).finally(() =>
      outbound.close(),
    );
  });

  it('goes where the official clients go', () => {
    for (const id of ['sdk-v1', 'sdk-v2']) {
      const steps = report.clients.find((client) => client.id === id)?.steps ?? [];
      assert.deepEqual(
        steps.map(({ method, url, status }) => `${method} ${new URL(url).pathname} ${status}`),
        ['POST /mcp 401', ...discovery.slice(0, 2)],
      );
    }
  });

  it('has nothing to say against it', () => {
    for (const { id, verdict, findings } of report.clients) {
      assert.deepEqual(findings, [], id);
      assert.equal(verdict, ['claude', 'chatgpt'].includes(id) ? 'when public' : 'connects', id);
    }
  });
});
