import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EventSplitter } from '../../src/protocol/index.ts';

/** Byte by byte, as the standard reads: CRLF, LF or CR end a line, an empty line ends an event. */
function eventsOf(text: string): string[] {
  const lines = text.match(/[^\r\n]*(\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  const events: string[] = [];
  let event = '';
  for (const line of lines) {
    event += line;
    if (/^[\r\n]/.test(line)) {
      events.push(event);
      event = '';
    }
  }
  return [...events, event];
}

/** What a reader makes of it: the lines of each event that has any. (An LF that came apart from its CR is the next event's.) */
const read = (events: string[]): string[][] =>
  events
    .map((event) => event.split(/\r\n|\r|\n/).filter((line) => line !== ''))
    .filter((lines) => lines.length > 0);

describe('a stream cut anywhere', () => {
  it('has the events that it has in one piece, and loses no byte', () => {
    const piece = fc.constantFrom('a', 'data: b', '\r', '\n', '\r\n', '\n\n', '\r\r', '\r\n\r\n', ':');
    const cuts = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), cuts, (pieces, places) => {
        const text = pieces.join('');
        const splitter = new EventSplitter(1_000_000);
        const found: string[] = [];
        let from = 0;
        for (const place of [...new Set(places)].sort((a, b) => a - b).concat(text.length)) {
          const chunk = Buffer.from(text.slice(from, Math.max(place, from)));
          from = Math.max(place, from);
          found.push(...(splitter.push(chunk) ?? []).map(String));
        }
        found.push(splitter.rest().toString());
        assert.equal(found.join(''), text);
        assert.deepEqual(read(found), read(eventsOf(text)));
      }),
      { numRuns: 3000 },
    );
  });
});
