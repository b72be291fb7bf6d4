import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EventSplitter, eventData, withEventData } from '../../src/protocol/index.ts';

const line = fc.constantFrom(
  'data: {"a":1}',
  'data:x',
  'data',
  'id: 7',
  'event: message',
  ': comment',
  'retry: 3',
);
const stream = fc
  .array(fc.tuple(fc.array(line, { minLength: 1, maxLength: 4 }), fc.constantFrom('\n', '\r\n', '\r')), {
    maxLength: 6,
  })
  .map((events) => events.map(([lines, end]) => lines.map((text) => text + end).join('') + end));

describe('EventSplitter', () => {
  it('finds the same events however the bytes are cut', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(20), { maxLength: 40 }), (events, cuts) => {
        const bytes = Buffer.from(events.join(''));
        const splitter = new EventSplitter(1e6);
        const found: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          const next = Math.min(bytes.length, at + cut);
          found.push(...(splitter.push(bytes.subarray(at, next)) ?? []));
          at = next;
        }
        found.push(splitter.rest());
        assert.equal(Buffer.concat(found).toString(), bytes.toString(), 'no byte is lost or added');
        const data = (list: (string | Buffer)[]) =>
          list.map((event) => eventData(Buffer.from(event as string))).filter((text) => text !== null);
        assert.deepEqual(data(found), data(events));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives up on an event that is too large', () => {
    const splitter = new EventSplitter(10);
    assert.equal(splitter.push(Buffer.from('data: 0123456789')), null);
  });
});

describe('event data', () => {
  it('joins lines and can be replaced', () => {
    const event = Buffer.from('id: 1\nevent: message\ndata: a\ndata: b\n\n');
    assert.equal(eventData(event), 'a\nb');
    assert.equal(withEventData(event, '{}').toString(), 'id: 1\nevent: message\ndata: {}\n\n');
    assert.equal(eventData(Buffer.from(': hello\n\n')), null);
  });
});
