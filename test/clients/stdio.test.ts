import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/fixture-server/index.ts';
import { type IssuedGateway, startIssuedGateway } from './gateway.ts';
import type { Connection, ConnectOptions, SdkClient } from './sdk-client.ts';
import { sdkClients } from './sdk-clients.ts';

const fixture = fileURLToPath(new URL('../support/fixture-server/stdio.ts', import.meta.url));
const everything = fileURLToPath(
  import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
);

const answers = {
  elicit: (message: string) => (/color/.test(message) ? { color: 'green' } : { name: 'Ada' }),
  sample: () => 'from the model',
  roots: ['file:///here'],
};

type Connect = (options?: Omit<ConnectOptions, 'url' | 'token'>) => Promise<Connection>;

/** Every client, through a gateway that runs this command. */
function describeChild(
  title: string,
  upstream: { command: string[]; isolation?: 'principal' },
  tests: (connect: Connect, sdk: SdkClient) => void,
): void {
  describe(title, () => {
    let issued: IssuedGateway;
    before(async () => {
      issued = await startIssuedGateway(upstream);
    });
    after(() => issued.close());
    for (const sdk of sdkClients)
      describe(sdk.label, () => {
        const open: Connection[] = [];
        tests(async (options = {}) => {
          const url = `${issued.gateway.origin}/mcp`;
          const token = await issued.token({ sub: sdk.label });
          const connection = await sdk.connect({ url, token, ...options });
          open.push(connection);
          return connection;
        }, sdk);
        after(async () => {
          for (const connection of open) await connection.close();
        });
      });
  });
}

for (const era of ['legacy', 'modern'])
  describeChild(
    `a stdio server of the ${era} era`,
    { command: [process.execPath, fixture, era] },
    (connect, sdk) => {
      it('speaks the era of the client', async () => {
        const connection = await connect();
        assert.equal(connection.revision, sdk.era === 'modern' ? '2026-07-28' : '2025-11-25');
        assert.equal(await connection.call('echo', { text: 'grüße 👋' }), 'grüße 👋');
        assert.match(await connection.read('test://static-text'), /static text resource/);
        assert.match(
          await connection.prompt('test_prompt_with_arguments', { arg1: 'x', arg2: 'y' }),
          /arg1='x'/,
        );
        assert.deepEqual(await connection.complete('test_prompt_with_arguments', 'arg1', 'part'), ['party']);
      });

      it('carries progress as it comes', async () => {
        const connection = await connect();
        const heard: number[] = [];
        const answer = await connection.call(
          'slow_report',
          { steps: 3, delayMs: 30 },
          { onProgress: (step) => heard.push(step) },
        );
        assert.equal(answer, 'done after 3 steps');
        assert.deepEqual(heard, [1, 2, 3]);
      });

      it('stops the work when the client cancels', async () => {
        const connection = await connect();
        const state = async () => JSON.parse(await connection.call('fixture_state'));
        const before = (await state()).cancelled.length;
        const cancel = new AbortController();
        const onProgress = () => cancel.abort('enough');
        const args = { steps: 1000, delayMs: 20 };
        await assert.rejects(connection.call('slow_report', args, { signal: cancel.signal, onProgress }));
        for (let tries = 0; tries < 50 && (await state()).running > 0; tries++);
        const now = await state();
        assert.deepEqual([now.cancelled.length, now.running], [before + 1, 0]);
      });

      // A legacy child asks whoever is at the other end of its one pipe: if that is everybody, it is nobody.
      if (era === 'modern')
        it('brings the questions of the server to the client', async () => {
          const connection = await connect(answers);
          assert.equal(await connection.call('test_input_required_result_multi_round'), 'Ada likes green');
        });
      else
        it('is told of no client that it could ask', async () => {
          const connection = await connect(answers);
          await assert.rejects(connection.call('test_input_required_result_multi_round'), /did not declare/);
        });

      it('brings changes to who watches', async () => {
        const heard: string[] = [];
        const connection = await connect({ onNotification: (method) => heard.push(method) });
        await connection.watch('test://watched-resource');
        await connection.call('touch_watched');
        await eventually(() => heard.includes('notifications/resources/updated'), true);
      });

      it('keeps the answers of two clients with the same ids apart', async () => {
        const both = await Promise.all([connect(), connect()]);
        const texts = Array.from({ length: 20 }, (_, at) => `${at}`);
        const heard = await Promise.all(
          both.map((connection, who) =>
            Promise.all(texts.map((text) => connection.call('echo', { text: `${who}/${text}` }))),
          ),
        );
        assert.deepEqual(
          heard,
          both.map((_, who) => texts.map((text) => `${who}/${text}`)),
        );
      });
    },
  );

describeChild(
  'server-everything over stdio',
  { command: [process.execPath, everything, 'stdio'] },
  (connect) => {
    it('lists its tools and calls them', async () => {
      const connection = await connect();
      const tools = await connection.tools();
      assert.ok(tools.includes('echo') && tools.includes('get-sum'), tools.join());
      assert.equal(await connection.call('echo', { message: 'hello' }), 'Echo: hello');
      assert.match(await connection.call('get-sum', { a: 2, b: 3 }), /5/);
    });

    it('carries the progress of a long operation', async () => {
      const connection = await connect();
      const heard: number[] = [];
      const args = { duration: 0.3, steps: 3 };
      const answer = await connection.call('trigger-long-running-operation', args, {
        onProgress: (step) => heard.push(step),
      });
      assert.match(answer, /completed/);
      assert.deepEqual(heard, [1, 2, 3]);
    });
  },
);

describeChild(
  'a legacy stdio server of one principal',
  { command: [process.execPath, fixture, 'legacy'], isolation: 'principal' },
  (connect, sdk) => {
    it('asks the client that started it', async () => {
      const connection = await connect(answers);
      const call = connection.call('test_input_required_result_multi_round');
      // A modern client answers by calling again; a legacy tool cannot be entered twice.
      if (sdk.era === 'modern') return assert.rejects(call, /did not declare/);
      assert.equal(await call, 'Ada likes green');
      assert.equal(await connection.call('test_sampling', { prompt: 'Hi' }), 'LLM response: from the model');
    });
  },
);
