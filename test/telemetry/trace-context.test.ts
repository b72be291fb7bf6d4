import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { allowedBaggage } from '../../src/telemetry/traces/baggage.ts';
import { RandomIds } from '../../src/telemetry/traces/ids.ts';
import {
  formatTraceparent,
  parseTraceparent,
  parseTracestate,
} from '../../src/telemetry/traces/trace-context.ts';
import { createTracer, passTrace } from '../../src/telemetry/traces/tracer.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';
const good = `00-${trace}-${span}-01`;

describe('traceparent', () => {
  it('is read in the exact form of the standard, and in no other', () => {
    assert.deepEqual(parseTraceparent(good), { traceId: trace, spanId: span, sampled: true });
    assert.equal(parseTraceparent(`00-${trace}-${span}-00`)?.sampled, false);
    assert.equal(parseTraceparent(`cc-${trace}-${span}-01-what-comes-later`)?.traceId, trace);
    for (const bad of [
      undefined,
      null,
      7,
      {},
      [good],
      '',
      `${good} `,
      ` ${good}`,
      `${good}-`,
      `${good}\r\nx: y`,
      `${good}, ${good}`,
      good.toUpperCase(),
      `ff-${trace}-${span}-01`,
      `00-${'0'.repeat(32)}-${span}-01`,
      `00-${trace}-${'0'.repeat(16)}-01`,
      `00-${trace.slice(1)}-${span}-01`,
      `00-${trace}-${span}-1`,
      `cc-${trace}-${span}-01${'-a'.repeat(200)}`,
      `cc-${trace}-${span}-01-\u0000`,
      'a'.repeat(1_000_000),
    ]) {
      assert.equal(parseTraceparent(bad), null, String(bad).slice(0, 80));
    }
  });

  it('is written as it was read', () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        fc.pre(/[^0]/.test(traceId) && /[^0]/.test(spanId));
        assert.deepEqual(parseTraceparent(formatTraceparent({ traceId, spanId, sampled })), {
          traceId,
          spanId,
          sampled,
        });
      }),
    );
  });
});

describe('tracestate', () => {
  it('passes on what is well formed', () => {
    assert.equal(
      parseTracestate('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
      'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    );
    assert.equal(parseTracestate('a=1 , ,\tb@c=2'), 'a=1,b@c=2');
  });

  it('is worth nothing when any of it is broken', () => {
    for (const bad of [
      'a=1\r\nx-admin: true',
      'a=1\nb=2',
      'a=\u0000',
      'a=b=c',
      'A=1',
      'a',
      '=1',
      'a=',
      'a=1,a=2',
      'a=ü',
      `${'k'.repeat(300)}=1`,
      `a=${'v'.repeat(257)}`,
      Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(','),
      `a=1,${' '.repeat(10_000)}`,
      7,
      ['a=1'],
    ]) {
      assert.equal(parseTracestate(bad), null, JSON.stringify(bad).slice(0, 60));
    }
  });

  it('is cut to 512 characters, long members first, then from the end', () => {
    const long = `long=${'x'.repeat(200)}`;
    const short = Array.from({ length: 30 }, (_, index) => `k${index}=${'v'.repeat(20)}`);
    const cut = parseTracestate([long, ...short].join(',')) ?? '';
    assert.ok(cut.length <= 512 && cut.length > 480);
    assert.ok(cut.startsWith('k0='));
  });

  it('never gives a character that a header could not carry', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
        for (const value of [text, `a=${text}`, `a=1,b=${text}`]) {
          const parsed = parseTracestate(value);
          if (parsed !== null) assert.match(parsed, /^[\x20-\x7e]{1,512}$/);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('baggage', () => {
  it('lets through the keys that are listed, once, and nothing of the rest', () => {
    const allowed = new Set(['tenant', 'region']);
    assert.equal(
      allowedBaggage('tenant=a;secret=1, role=admin,region=eu%20x,tenant=b', allowed),
      'tenant=a,region=eu%20x',
    );
    assert.equal(allowedBaggage('role=admin', allowed), null);
    assert.equal(allowedBaggage('tenant=a', new Set()), null);
    assert.equal(allowedBaggage('__proto__=x,constructor=y', allowed), null);
  });

  it('is dropped whole when it is giant or broken', () => {
    const allowed = new Set(['tenant']);
    for (const bad of [
      `tenant=a,x=${'y'.repeat(1_000_000)}`,
      `tenant=${'y'.repeat(300)}`,
      `tenant=a,${Array.from({ length: 64 }, (_, index) => `k${index}=1`).join(',')}`,
      'tenant=a\r\nx-admin: 1',
      'tenant=a b',
      'tenant="a"',
      'tenant',
      'tenant=a,=b',
      { tenant: 'a' },
    ]) {
      assert.equal(allowedBaggage(bad, allowed), null, JSON.stringify(bad).slice(0, 60));
    }
  });
});

describe('a place in a trace', () => {
  const carrier = (headers: Record<string, string>, meta: Record<string, unknown> | null = null) => ({
    header: (name: string) => headers[name],
    isCall: true,
    meta,
  });
  const begin = (ratio: number, random = 0.5) =>
    createTracer({ ratio, baggage: new Set(['tenant']), ids: new RandomIds(), random: () => random });

  it('the message wins over the transport, which becomes a link', () => {
    const inner = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    const { traceId, parentSpanId, onward, recording } = begin(1)(
      carrier({ traceparent: good, tracestate: 'outer=1' }, { traceparent: inner, tracestate: 'inner=1' }),
    );
    assert.deepEqual([traceId, parentSpanId], ['1'.repeat(32), '2'.repeat(16)]);
    assert.equal(onward.headers['tracestate'], 'inner=1');
    assert.deepEqual([recording?.link?.traceId, recording?.link?.spanId], [trace, span]);
  });

  it('a message with nonsense leaves it to the transport', () => {
    for (const nonsense of ['00-1-2-01', 7, null, {}, 'x'.repeat(100_000)]) {
      const found = begin(1)(
        carrier({ traceparent: good, tracestate: 'a=1' }, { traceparent: nonsense, tracestate: 'b=1' }),
      );
      assert.equal(found.traceId, trace);
      assert.equal(found.onward.headers['tracestate'], 'a=1');
      assert.equal(found.onward.replacesMeta, true, 'the nonsense does not travel on');
    }
  });

  it("a stranger's flag lowers the ratio and never raises it", () => {
    assert.equal(begin(0)(carrier({ traceparent: good })).recording, null);
    assert.equal(begin(0.1, 0.5)(carrier({ traceparent: good })).recording, null);
    assert.match(begin(0)(carrier({ traceparent: good })).onward.headers['traceparent'] ?? '', /-00$/);
    assert.equal(begin(1)(carrier({ traceparent: `00-${trace}-${span}-00` })).recording, null);
    assert.notEqual(begin(1)(carrier({ traceparent: good })).recording, null);
  });

  it('the draw does not look at the trace id: a caller cannot pick one that is always taken', () => {
    const lucky = `00-${'0'.repeat(31)}1-${span}-01`;
    const unlucky = `00-${'f'.repeat(32)}-${span}-01`;
    for (const random of [0.05, 0.5]) {
      const taken = [lucky, unlucky].map(
        (traceparent) => begin(0.1, random)(carrier({ traceparent })).recording !== null,
      );
      assert.deepEqual(taken, random < 0.1 ? [true, true] : [false, false]);
    }
  });

  it('where no spans are made, only what is well formed travels on', () => {
    assert.deepEqual(passTrace(carrier({ traceparent: '00-1-2-01', tracestate: 'a=1' })).onward.headers, {});
    const passed = passTrace(carrier({ traceparent: good, tracestate: 'a=1\u0007', baggage: 'tenant=a' }));
    assert.deepEqual(passed.onward.headers, { traceparent: good });
    assert.deepEqual([passed.traceId, passed.parentSpanId, passed.spanId], [trace, span, null]);
  });

  it('what is no call has no spans, and tells nobody of any', () => {
    const stream = { ...carrier({ traceparent: good }), isCall: false };
    const { onward, recording, spanId } = begin(1)(stream);
    assert.deepEqual([onward.headers, recording, spanId], [{ traceparent: good }, null, null]);
  });

  it('looks at own members alone', () => {
    const meta = Object.create({ traceparent: good }) as Record<string, unknown>;
    assert.equal(begin(1)(carrier({}, meta)).parentSpanId, null);
  });
});
