import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { eventually, type FixtureServer } from '../support/fixture-server/index.ts';
import type { Connection, ConnectOptions, SdkClient } from './sdk-client.ts';
import { sdkClients } from './sdk-clients.ts';

/** An endpoint with the fixture at its end: the fixture itself, or a gateway in front of it. */
export interface Target {
  readonly url: string;
  readonly fixture: FixtureServer;
  /** Where the endpoint wants one. */
  readonly token?: string;
  close(): Promise<void>;
}

/** What each official client must be able to do with the fixture, whatever stands between. */
export function describeBehaviours(title: string, start: () => Promise<Target>): void {
  describe(title, () => {
    let target: Target;
    before(async () => {
      target = await start();
    });
    after(() => target.close());

    for (const sdk of sdkClients)
      describe(sdk.label, () => {
        const open: Connection[] = [];
        const connect = async (options: Omit<ConnectOptions, 'url' | 'token'> = {}) => {
          const connection = await sdk.connect({ url: target.url, token: target.token, ...options });
          open.push(connection);
          return connection;
        };
        beforeEach(async () => {
          for (const connection of open.splice(0)) await connection.close();
        });
        after(async () => {
          for (const connection of open.splice(0)) await connection.close();
          await eventually(target.fixture.openAnswers, 0, 'the upstream still answers somebody');
        });
        describePlainCalls(sdk, connect);
        describeStreams(() => target.fixture, connect);
        describeQuestions(sdk, () => target.fixture, connect);
        describeChanges(sdk, () => target.fixture, connect);
        describeCancellation(() => target.fixture, connect);
        if (sdk.era === 'legacy') describeSessions(() => target.fixture, connect);
      });
  });
}

type Connect = (options?: Omit<ConnectOptions, 'url' | 'token'>) => Promise<Connection>;

function describePlainCalls(sdk: SdkClient, connect: Connect): void {
  it('agrees on the revision of its era', async () => {
    const { revision } = await connect();
    assert.equal(revision, sdk.era === 'modern' ? '2026-07-28' : '2025-11-25');
  });

  it('lists and calls tools, reads resources, gets prompts, completes', async () => {
    const connection = await connect();
    const tools = await connection.tools();
    for (const name of ['echo', 'write_note', 'delete_note', 'slow_report'])
      assert.ok(tools.includes(name), name);
    assert.equal(await connection.call('echo', { text: 'grüße 👋 \u2028' }), 'grüße 👋 \u2028');
    assert.match(await connection.read('test://template/7/data'), /Data for ID: 7/);
    assert.match(await connection.prompt('test_prompt_with_arguments', { arg1: 'x', arg2: 'y' }), /arg1='x'/);
    assert.deepEqual(await connection.complete('test_prompt_with_arguments', 'arg1', 'par'), [
      'paris',
      'park',
      'party',
    ]);
    await assert.rejects(connection.call('test_error_handling'), /intentionally returns an error/);
  });

  it('mirrors an annotated argument into its header', async () => {
    const connection = await connect();
    await connection.tools();
    assert.equal(await connection.call('query_region', { region: 'eu-west', query: 'q' }), 'eu-west: q');
  });
}

function describeStreams(fixture: () => FixtureServer, connect: Connect): void {
  it('hears of progress while the call runs', async () => {
    const connection = await connect();
    const heard: number[] = [];
    let runningAtFirst = 0;
    const answer = await connection.call(
      'slow_report',
      { steps: 4, delayMs: 40 },
      {
        onProgress: (progress) => {
          if (heard.length === 0) runningAtFirst = fixture().running();
          heard.push(progress);
        },
      },
    );
    assert.equal(answer, 'done after 4 steps');
    assert.deepEqual(heard, [1, 2, 3, 4]);
    assert.equal(runningAtFirst, 1, 'the first progress came when all was over');
  });

  it('receives a long stream whole and in order', async () => {
    const connection = await connect();
    const heard: number[] = [];
    await connection.call(
      'slow_report',
      { steps: 300, delayMs: 0, bytes: 20_000 },
      { onProgress: (step) => heard.push(step) },
    );
    assert.deepEqual(
      heard,
      Array.from({ length: 300 }, (_, at) => at + 1),
    );
  });
}

function describeQuestions(sdk: SdkClient, fixture: () => FixtureServer, connect: Connect): void {
  const answers = {
    elicit: (message: string) =>
      /context/.test(message)
        ? { context: 'a test' }
        : /color/.test(message)
          ? { color: 'green' }
          : { name: 'Ada', username: 'ada', email: 'ada@example.com' },
    sample: () => 'from the model',
    roots: ['file:///here'],
  };

  if (sdk.era === 'legacy') {
    it('answers an elicitation on the stream of the call', async () => {
      const connection = await connect(answers);
      assert.match(
        await connection.call('test_elicitation', { message: 'Who?' }),
        /accept.*"username":"ada"/,
      );
    });
    it('answers sampling on the stream of the call, and on that of the session', async () => {
      const connection = await connect(answers);
      // The client opens the session's stream by itself, in its own time.
      await eventually(
        () => fixture().requests.findLast(({ httpMethod }) => httpMethod === 'GET')?.outcome,
        'open',
      );
      for (const tool of ['test_sampling', 'sample_on_session_stream'])
        assert.equal(await connection.call(tool, { prompt: 'Hi' }), 'LLM response: from the model');
    });
    return;
  }
  it('fulfils input_required over several rounds, with state', async () => {
    const connection = await connect(answers);
    assert.equal(await connection.call('test_input_required_result_multi_round'), 'Ada likes green');
    assert.equal(
      await connection.call('test_input_required_result_multiple_inputs'),
      'All three inputs arrived',
    );
    assert.match(await connection.prompt('test_input_required_result_prompt'), /Context: a test/);
  });
  it('is told which capability it lacks', async () => {
    const connection = await connect();
    await assert.rejects(connection.call('test_missing_capability'), /capabilit/i);
  });
}

function describeChanges(sdk: SdkClient, fixture: () => FixtureServer, connect: Connect): void {
  it('hears of a changed resource it watches', async () => {
    const heard: string[] = [];
    const connection = await connect({ onNotification: (method) => heard.push(method) });
    await connection.watch('test://watched-resource');
    await connection.call('touch_watched');
    await eventually(() => heard.includes('notifications/resources/updated'), true);
    await connection.close();
    if (sdk.era === 'modern')
      await eventually(fixture().subscriptions, 0, 'the subscription outlived its client');
  });
}

function describeCancellation(fixture: () => FixtureServer, connect: Connect): void {
  it('stops the work upstream when it cancels', async () => {
    const connection = await connect();
    const before = fixture().cancelled.length;
    const cancel = new AbortController();
    const call = connection.call(
      'slow_report',
      { steps: 1000, delayMs: 20 },
      { signal: cancel.signal, onProgress: () => cancel.abort('enough') },
    );
    await assert.rejects(call);
    await eventually(() => fixture().cancelled.length, before + 1, 'the upstream works on');
    await eventually(fixture().running, 0);
  });
}

function describeSessions(fixture: () => FixtureServer, connect: Connect): void {
  it('resumes a stream that the server closed, with Last-Event-ID', async () => {
    const connection = await connect();
    assert.match(await connection.call('test_reconnection'), /completed successfully/);
    const resumed = fixture().requests.findLast((request) => request.headers['last-event-id'] !== undefined);
    assert.equal(resumed?.httpMethod, 'GET');
  });

  it('ends its session with DELETE', async () => {
    const connection = await connect();
    const before = fixture().sessions();
    assert.ok(connection.session);
    await connection.terminate();
    await eventually(fixture().sessions, before - 1);
  });
}
