import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Observation } from '../../src/detections/observation.ts';
import { rules } from '../../src/detections/rules.ts';
import { call, event, bench as newBench } from './support.ts';

interface Example {
  /** How often `fires` is given, a second apart, before the rule must fire; it must not fire earlier. */
  readonly after: number;
  readonly fires: (index: number) => Observation;
  /** What looks alike and is not it, given as often as that and again. */
  readonly quiet: readonly ((index: number) => Observation)[];
}

const minutes = 60_000;
const denied = {
  result: 'denied_auth',
  reason: 'token_signature',
  client_id: null,
  subject: null,
  issuer: null,
} as const;
const once = (one: Observation) => () => one;

/** One for each rule: a rule without an example fails below. */
const examples: Readonly<Record<string, Example>> = {
  denied_burst: {
    after: 20,
    fires: once(call(denied)),
    quiet: [
      once(call()),
      once(call({ ...denied, reason: 'token_missing' })),
      (index) => call({ ...denied, address: `198.51.${index}.1` }),
    ],
  },
  repeated_call: {
    after: 50,
    fires: once(call({ arguments_hash: 'hmac-sha256:k1:aa' })),
    quiet: [
      (index) => call({ arguments_hash: `hmac-sha256:k1:${index}` }),
      once(call({ arguments_hash: null })),
    ],
  },
  wrong_audience: {
    after: 3,
    fires: once(call({ ...denied, reason: 'token_audience' })),
    quiet: [
      once(call({ ...denied, reason: 'token_expired' })),
      (index) => call({ ...denied, reason: 'token_audience', address: `198.51.${index}.1` }),
    ],
  },
  code_reuse: {
    after: 1,
    fires: once(event('code.reused', { client_id: 'client-a', subject: 'alice' })),
    quiet: [once(event('code.issued', { client_id: 'client-a', subject: 'alice' }))],
  },
  refresh_reuse: {
    after: 1,
    fires: once(
      event('refresh.reused', { client_id: 'client-a', subject: 'alice', data: { accepted: false } }),
    ),
    quiet: [
      once(event('refresh.reused', { client_id: 'client-a', subject: 'alice', data: { accepted: true } })),
    ],
  },
  token_two_networks: {
    after: 2,
    fires: (index) => call({ address: index % 2 === 0 ? '192.0.2.7' : '203.0.113.9' }),
    quiet: [
      (index) => call({ address: `192.0.2.${index}` }),
      (index) => call({ address: `2001:db8:1:${index}::1` }),
      (index) => call({ address: `198.51.${index}.1`, token_id: `jti-${index}` }),
      (index) => call({ address: index % 2 === 0 ? '192.0.2.7' : '::ffff:192.0.2.7' }),
    ],
  },
  first_client: {
    after: 1,
    fires: once(call()),
    quiet: [once(call({ result: 'denied_rate' })), once(call({ client_id: null }))],
  },
  first_tool: {
    after: 2,
    fires: (index) => call({ tool_name: index === 0 ? 'read_note' : 'delete_note' }),
    quiet: [
      once(call()),
      (index) => call({ tool_name: index === 0 ? 'read_note' : 'delete_note', result: 'denied_auth' }),
    ],
  },
  scope_growth: {
    after: 2,
    fires: (index) =>
      call({ scopes: index === 0 ? ['mcp:tools:read'] : ['mcp:tools:read', 'mcp:tools:admin'] }),
    quiet: [
      once(call()),
      (index) => call({ scopes: index === 0 ? ['a', 'b'] : ['b'] }),
      (index) => call({ client_id: `c${index}`, scopes: [`s${index}`] }),
    ],
  },
  approval_storm: {
    after: 10,
    fires: once(call({ result: 'denied_approval', reason: 'confirmation_unavailable' })),
    quiet: [once(call({ result: 'error', reason: 'tool_error' }))],
  },
  header_mismatch: {
    after: 3,
    fires: once(call({ result: 'error', reason: 'header_mismatch' })),
    quiet: [once(call({ result: 'error', reason: 'malformed_json' }))],
  },
  tool_enumeration: {
    after: 10,
    fires: (index) => call({ ...refusedTool, tool_name: `guess_${index}` }),
    quiet: [
      once(call({ result: 'denied_auth', reason: 'unknown_tool' })),
      (index) => call({ tool_name: `tool_${index}` }),
    ],
  },
  store_failure: {
    after: 1,
    fires: once(call({ result: 'error', reason: 'audit_unavailable' })),
    quiet: [once(call({ result: 'error', reason: 'upstream_unavailable' }))],
  },
  audit_gap: {
    after: 1,
    fires: once(event('audit.orphans', { data: { calls: 3 } })),
    quiet: [once(event('audit.checkpoint'))],
  },
  static_key_late: {
    after: 1,
    fires: once(call({ result: 'denied_auth', reason: 'token_key_ended' })),
    quiet: [once(call())],
  },
  registration_spike: {
    after: 20,
    fires: once(event('client.registered', { address: '192.0.2.7' })),
    quiet: [once(event('client.removed', { address: '192.0.2.7' }))],
  },
  failed_sign_ins: {
    after: 10,
    fires: once(event('signin.failed', { address: '192.0.2.7' })),
    quiet: [once(event('signin.succeeded', { address: '192.0.2.7' }))],
  },
  kill_switch: {
    after: 1,
    fires: once(event('kill_switch.stopped')),
    quiet: [once(event('gateway.stopped'))],
  },
  configuration_changed: {
    after: 1,
    fires: once(event('config.reloaded')),
    quiet: [once(event('gateway.started')), once(event('pins.pinned')), once(event('pins.first_contact'))],
  },
};

const refusedTool = { result: 'denied_auth', reason: 'unknown_tool' } as const;

describe('each detection', () => {
  it('has an example', () => {
    assert.deepEqual(Object.keys(examples).toSorted(), rules.map(({ id }) => id).toSorted());
  });

  for (const [id, example] of Object.entries(examples)) {
    it(`${id} fires at its threshold and not before`, () => {
      const bench = newBench();
      for (let index = 0; index < example.after; index++) {
        const isLast = index === example.after - 1;
        assert.equal(bench.at(index * 1000, example.fires(index)).includes(id), isLast, `match ${index + 1}`);
      }
    });

    it(`${id} is quiet for what only looks like it`, () => {
      for (const quiet of example.quiet) {
        const bench = newBench();
        for (let index = 0; index < example.after * 3; index++) {
          assert.ok(!bench.at(index, quiet(index)).includes(id));
        }
      }
    });
  }

  it('forgets what is older than its window', () => {
    const bench = newBench();
    for (let index = 0; index < 19; index++) bench.at(index, call(denied));
    assert.deepEqual(bench.at(5 * minutes + 20, call(denied)), []);
    // The window slides: 19 in the last second of one and the first of the next are one burst.
    for (let index = 0; index < 18; index++) bench.at(9 * minutes + index, call(denied));
    assert.deepEqual(bench.at(9 * minutes + 30, call(denied)), ['denied_burst']);
  });

  it('tells of a key once in its window, and then of all that came since', () => {
    const bench = newBench();
    let told = 0;
    for (let index = 0; index < 250; index++) told += bench.at(index * 1000, call(denied)).length;
    assert.equal(told, 1);
    const [again] = bench.findings(20_000 + 5 * minutes, call(denied));
    assert.equal(again?.count, 231);
  });

  it('counts client, subject and address apart', () => {
    const bench = newBench();
    const keys = new Set<string>();
    for (let index = 0; index < 20; index++) {
      const one = call({
        result: 'denied_rate',
        reason: 'limit_client',
        token_id: null,
        address: `198.51.${index}.1`,
      });
      for (const { key } of bench.findings(index, one)) keys.add(Object.keys(key).join(' '));
    }
    assert.deepEqual([...keys], ['issuer client_id', 'issuer subject']);
  });

  it('takes thresholds of the configuration without losing what was counted', () => {
    const bench = newBench();
    for (let index = 0; index < 4; index++) assert.deepEqual(bench.at(index, call(denied)), []);
    bench.engine.configure({ deniedBurst: { count: 5, withinMs: minutes } });
    assert.deepEqual(bench.at(5, call(denied)), ['denied_burst']);
  });

  it('does not take two people of one name at two issuers for one', () => {
    const bench = newBench();
    for (let index = 0; index < 38; index++) {
      const issuer = `https://idp-${index % 2}.example`;
      const one = call({ issuer, result: 'denied_rate', reason: 'limit_client', address: null });
      assert.deepEqual(bench.at(index, one), []);
    }
  });
});
