import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brief, faultsOf, load, smallest } from './support/workspace.ts';

const telemetry = (text: string) => `${smallest}telemetry: ${text}\n`;

describe('telemetry in the configuration', () => {
  it('is off unless asked for', async (t) => {
    const { config } = await load(t, smallest);
    assert.deepEqual(config.telemetry, { traces: null, metrics: null, prometheus: null });
  });

  it('a collector alone switches on traces and metrics', async (t) => {
    const { config } = await load(t, telemetry('{ otlp: "http://127.0.0.1:4318" }'));
    const collector = { url: 'http://127.0.0.1:4318', headers: {}, timeoutMs: 10_000 };
    assert.deepEqual(config.telemetry, {
      traces: { collector, ratio: 1, queue: 4096, baggage: [] },
      metrics: { collector, everyMs: 60_000 },
      prometheus: null,
    });
  });

  it('each can be had alone', async (t) => {
    const traces = await load(t, telemetry('{ otlp: "http://c.example:4318", metrics: false }'));
    assert.equal(traces.config.telemetry.metrics, null);
    const metrics = await load(
      t,
      telemetry('{ otlp: "http://c.example:4318", traces: false, metrics: { every: 15s } }'),
    );
    assert.equal(metrics.config.telemetry.traces, null);
    assert.equal(metrics.config.telemetry.metrics?.everyMs, 15_000);
    const scraped = await load(t, telemetry('{ prometheus: {} }'));
    assert.deepEqual(scraped.config.telemetry.prometheus, { host: '127.0.0.1', port: 9464, token: null });
  });

  it('secrets are references, and never shown', async (t) => {
    const text = telemetry(
      '{ otlp: "https://c.example/otlp", headers: { authorization: { env: OTLP } }, prometheus: { token: { env: SCRAPE } } }',
    );
    const environment = { OTLP: 'Bearer of-the-collector', SCRAPE: 'a-token-of-some-length' };
    const { config } = await load(t, text, environment);
    assert.equal(
      config.telemetry.traces?.collector.headers['authorization']?.reveal(),
      'Bearer of-the-collector',
    );
    assert.equal(config.telemetry.prometheus?.token?.reveal(), 'a-token-of-some-length');
    assert.doesNotMatch(JSON.stringify(config.telemetry), /of-the-collector|of-some-length/);
  });

  const refused: readonly [string, RegExp, string][] = [
    [
      'a header in the file',
      /headers\.authorization.*literal/,
      '{ otlp: "http://c:1", headers: { authorization: "x" } }',
    ],
    ['a token in the file', /token.*literal/, '{ prometheus: { token: "a-token-of-some-length" } }'],
    ['a short token', /shorter than 16/, '{ prometheus: { token: { env: SHORT } } }'],
    [
      'traces without a collector',
      /telemetry\.traces.*no|telemetry\.traces.*none/,
      '{ traces: { ratio: 0.5 } }',
    ],
    ['headers without a collector', /telemetry\.headers/, '{ prometheus: {}, headers: {} }'],
    ['a ratio that is none', /telemetry\.traces\.ratio/, '{ otlp: "http://c:1", traces: { ratio: 2 } }'],
    [
      'a queue without an end',
      /telemetry\.traces\.queue/,
      '{ otlp: "http://c:1", traces: { queue: 10000000 } }',
    ],
    [
      'a key of baggage with a line break',
      /telemetry\.traces\.baggage/,
      '{ otlp: "http://c:1", traces: { baggage: ["a\\nb"] } }',
    ],
    [
      'the port of the gateway',
      /telemetry\.prometheus\.listen\.port.*gateway/,
      '{ prometheus: { listen: { port: 4180 } } }',
    ],
    ['an unknown key', /telemetry\.prometheus\.path/, '{ prometheus: { path: /x } }'],
    ['what is no URL', /telemetry\.otlp/, '{ otlp: "localhost:4318" }'],
    ['a password in the URL', /telemetry\.otlp/, '{ otlp: "https://u:p@c.example" }'],
  ];
  for (const [what, expected, text] of refused) {
    it(`refuses ${what}, with its line`, async (t) => {
      const faults = await faultsOf(t, telemetry(text), { SHORT: 'short' });
      const lines = brief(faults).join('\n');
      assert.match(lines, expected);
      assert.ok(
        faults.every(({ line }) => line !== undefined && line >= 4),
        lines,
      );
    });
  }
});
