import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  type AuditQuery,
  type AuditRecord,
  type AuditSource,
  type AuditStore,
  createAuditTrail,
  type OpenAuditTrail,
  openAuditSource,
  orphansOf,
  queryEntries,
  type StoredEntry,
  statsOf,
  storyOf,
  tailEntries,
  traceOf,
} from '../../../src/audit/index.ts';
import { silentLog, systemClock } from '../../../src/base/index.ts';
import { intent, record, until } from '../support.ts';

const at = (minute: number) => `2026-07-28T10:${String(minute).padStart(2, '0')}:00.000Z`;
const idOf = (entry: StoredEntry) => (entry.phase === 'event' ? entry.event : entry.request_id);

export async function all(source: AuditSource, query: AuditQuery = {}): Promise<StoredEntry[]> {
  const found: StoredEntry[] = [];
  for await (const entry of queryEntries(source, query)) found.push(entry);
  return found;
}

/** A writer that the test closes at its end, whatever happens. */
export async function writerTo(t: TestContext, store: AuditStore): Promise<OpenAuditTrail> {
  const trail = await createAuditTrail({
    ...store,
    clock: systemClock,
    log: silentLog,
    closeWithinMs: 2_000,
  });
  t.after(() => trail.close());
  return trail;
}

export async function sourceOf(t: TestContext, store: AuditStore): Promise<AuditSource> {
  const source = await openAuditSource(store, silentLog);
  t.after(() => source.close());
  return source;
}

/** What every store does alike. `fresh` gives an empty one. */
export function storeContract(name: string, fresh: (t: TestContext) => Promise<AuditStore>): void {
  describe(`an audit store: ${name}`, () => {
    it('answers each filter, alone and together', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      const rows: Partial<AuditRecord>[] = [
        { request_id: 'r0', subject: 'alice' },
        {
          request_id: 'r1',
          subject: 'bob',
          tool_name: 'delete_note',
          result: 'denied_scope',
          reason: 'scope_missing',
        },
        {
          request_id: 'r2',
          subject: 'bob',
          client_id: 'c2',
          server: 'files',
          token_id: 't2',
          address: '10.1.1.1',
        },
        { request_id: 'r3', subject: null, client_id: null, result: 'denied_auth', reason: 'token_missing' },
        {
          request_id: 'r4',
          organization: 'globex',
          arguments_hash: 'hmac-sha256:k1:ab',
          result: 'tool_error',
          reason: 'tool_error',
        },
      ];
      for (const [index, row] of rows.entries()) trail.outcome(record({ ...row, timestamp: at(index) }));
      trail.event({ timestamp: at(9), event: 'signin.failed', subject: 'bob' });
      await trail.flush();
      const source = await sourceOf(t, store);
      const cases: readonly [AuditQuery, string[]][] = [
        [{}, ['r4', 'r3', 'r2', 'r1', 'r0']],
        [{ order: 'oldest', limit: 2 }, ['r0', 'r1']],
        [{ events: true, limit: 2 }, ['signin.failed', 'r4']],
        [{ event: 'signin.failed' }, ['signin.failed']],
        [{ subject: 'bob', events: true }, ['signin.failed', 'r2', 'r1']],
        [{ client: 'c2' }, ['r2']],
        [{ tool: 'delete_note' }, ['r1']],
        [{ result: 'denied_scope' }, ['r1']],
        [{ result: 'denied_auth' }, ['r3', 'r1']],
        [{ result: 'success' }, ['r2', 'r0']],
        [{ result: 'tool_error' }, ['r4']],
        [{ reason: 'token_missing' }, ['r3']],
        [{ reason: 'ok' }, ['r2', 'r0']],
        [{ server: 'files' }, ['r2']],
        [{ tokenId: 't2' }, ['r2']],
        [{ address: '10.1.1.1' }, ['r2']],
        [{ organization: 'globex' }, ['r4']],
        [{ argumentsHash: 'hmac-sha256:k1:ab' }, ['r4']],
        [{ requestId: 'r0' }, ['r0']],
        [{ since: at(1), until: at(3) }, ['r2', 'r1']],
        [{ since: at(1), subject: 'bob', result: 'success' }, ['r2']],
        [{ subject: "' OR 1=1 --" }, []],
        [{ subject: ':client', client: '$1' }, []],
      ];
      for (const [query, expected] of cases) {
        assert.deepEqual((await all(source, query)).map(idOf), expected, JSON.stringify(query));
      }
    });

    it('shows an intent without an outcome once, as unknown, until its outcome comes', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      const [finished, open] = [intent({ timestamp: at(0) }), intent({ timestamp: at(1) })];
      await trail.intent(finished);
      await trail.intent(open);
      trail.outcome(record({ ...finished, result: 'success' }));
      await trail.flush();
      const source = await sourceOf(t, store);
      assert.deepEqual(
        (await all(source)).map((entry) => entry.phase !== 'event' && [entry.request_id, entry.result]),
        [
          [open.request_id, 'unknown'],
          [finished.request_id, 'success'],
        ],
      );
      assert.deepEqual((await orphansOf(source)).map(idOf), [open.request_id]);
      assert.deepEqual(await orphansOf(source, { until: at(1) }), []);
      trail.outcome(record({ ...open, result: 'timeout', reason: 'upstream_timeout' }));
      await trail.flush();
      assert.deepEqual(await orphansOf(source), []);
      assert.equal((await all(source)).length, 2);
    });

    it('pages without gaps or repeats, also where times are equal', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      const expected = Array.from({ length: 1_200 }, (_, index) => `r${index}`);
      for (const request_id of expected) trail.outcome(record({ request_id, timestamp: at(7) }));
      await trail.flush();
      const source = await sourceOf(t, store);
      assert.deepEqual((await all(source, { order: 'oldest' })).map(idOf), expected);
      assert.deepEqual((await all(source)).map(idOf), expected.toReversed());
      assert.deepEqual((await all(source, { limit: 501 })).map(idOf), expected.toReversed().slice(0, 501));
    });

    it('tails: the past, then what any writer adds, none twice, none lost', async (t) => {
      const store = await fresh(t);
      const [one, two] = [await writerTo(t, store), await writerTo(t, store)];
      one.outcome(record({ request_id: 'before' }));
      await one.flush();
      const source = await sourceOf(t, store);
      const stop = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        const options = { filter: { events: true }, lines: 5, follow: stop.signal };
        for await (const entry of tailEntries(source, options)) seen.push(idOf(entry));
      })();
      await until(() => seen.includes('before'));
      const expected = ['before'];
      for (let round = 0; round < 20; round += 1) {
        one.outcome(record({ request_id: `one${round}` }));
        two.outcome(record({ request_id: `two${round}` }));
        await Promise.all([one.flush(), two.flush()]);
        expected.push(`one${round}`, `two${round}`);
      }
      await until(() => seen.length >= expected.length);
      stop.abort();
      await following;
      assert.deepEqual(seen.toSorted(), expected.toSorted());
    });

    it('counts who, what, how often, how fast, and what was denied', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      for (let index = 1; index <= 100; index += 1) {
        trail.outcome(
          record({ timestamp: at(1), latency_ms: index, tool_name: index > 90 ? 'rare' : 'common' }),
        );
      }
      trail.outcome(
        record({ timestamp: at(2), result: 'denied_rate', reason: 'limit_client', subject: 'mallory' }),
      );
      trail.outcome(record({ timestamp: at(3), result: 'error', reason: 'internal_error' }));
      trail.outcome(record({ timestamp: at(30) }));
      await trail.flush();
      const stats = await statsOf(await sourceOf(t, store), { until: at(30) }, 5);
      assert.equal(stats.calls, 102);
      assert.equal(stats.denied, 1);
      assert.equal(stats.errors, 1);
      assert.deepEqual([stats.first, stats.last], [at(1), at(3)]);
      assert.ok(Math.abs((stats.latency_ms.p50 ?? 0) - 50) < 4, String(stats.latency_ms.p50));
      assert.equal(stats.latency_ms.max, 100);
      assert.deepEqual(stats.reasons.map(({ name }) => name).toSorted(), ['internal_error', 'limit_client']);
      assert.deepEqual(stats.tools[0]?.name, 'common');
      assert.deepEqual(stats.subjects.find(({ name }) => name === 'mallory')?.denied, 1);
    });

    it('tells the story of one call, with its neighbours by the token', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      const call = intent({ request_id: 'the-call', timestamp: at(5), token_id: 'stolen' });
      for (const minute of [3, 4]) {
        trail.outcome(record({ request_id: `earlier${minute}`, timestamp: at(minute), token_id: 'stolen' }));
      }
      await trail.intent(call);
      trail.event({ timestamp: at(5), event: 'approval.granted', request_id: 'the-call' });
      trail.outcome(record({ ...call, result: 'success', reason: 'ok', latency_ms: 7 }));
      trail.outcome(record({ request_id: 'later', timestamp: at(6), token_id: 'stolen' }));
      trail.outcome(record({ request_id: 'of another', timestamp: at(6), token_id: 'other' }));
      await trail.flush();
      const source = await sourceOf(t, store);
      const trace = await traceOf(source, 'the-call');
      assert.equal(trace?.intent?.phase, 'intent');
      assert.equal(trace?.outcome?.result, 'success');
      assert.deepEqual(
        trace?.events.map(({ event }) => event),
        ['approval.granted'],
      );
      assert.deepEqual(
        trace?.neighbours.map((one) => one.request_id),
        ['earlier3', 'earlier4', 'later'],
      );
      const story = trace ? storyOf(trace).join('\n') : '';
      for (const part of [
        /^token .*alice.*jti stolen/m,
        /^policy .*tools\[2\]/m,
        /^left .*intent was on disk/m,
        /^outcome .*success/m,
      ]) {
        assert.match(story, part);
      }
      assert.equal(await traceOf(source, 'no such call'), null);
    });

    it('finds the neighbours of a call by the reference to its token, where that has no jti', async (t) => {
      const store = await fresh(t);
      const trail = await writerTo(t, store);
      const [stolen, other] = [trail.reference('opaque-1'), trail.reference('opaque-2')];
      for (const [id, token_ref] of [
        ['before', stolen],
        ['another', other],
        ['the-call', stolen],
        ['after', stolen],
        ['with none', null],
      ] as const) {
        trail.outcome(record({ request_id: id, token_id: null, token_ref }));
      }
      await trail.flush();
      const source = await sourceOf(t, store);
      const around = async (id: string) =>
        (await traceOf(source, id))?.neighbours.map(({ request_id }) => request_id).toSorted();
      assert.deepEqual(await around('the-call'), ['after', 'before']);
      assert.deepEqual(await around('another'), []);
      assert.deepEqual(await around('with none'), []);
      const found = (await all(source, { tokenRef: stolen })).map((entry) => entry.request_id);
      assert.deepEqual(found.toSorted(), ['after', 'before', 'the-call']);
    });
  });
}
