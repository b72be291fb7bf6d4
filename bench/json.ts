// What it costs to read names as they are written, as ratios in one run: node bench/json.ts

import { readJson } from '../src/base/index.ts';
import { parseJson } from '../src/protocol/index.ts';

const rounds = 15;
const call = (extra: object) => ({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: {
    name: 'create_note',
    arguments: { title: 'Greetings', body: 'Hello "world"\n'.repeat(20), ...extra },
  },
});
const answer = (text: string) => ({ jsonrpc: '2.0', id: 7, result: { content: [{ type: 'text', text }] } });
const texts: Readonly<Record<string, string>> = {
  'call of 0.5 kB': JSON.stringify(call({})),
  'call with an escaped name': JSON.stringify(call({ 'a"b': 1 })),
  'answer of 0.1 kB, without escapes': JSON.stringify(answer('nothing to see')),
  'answer of 100 kB, lines of prose': JSON.stringify(
    answer('The quick brown fox jumps over the dog.\n'.repeat(2_500)),
  ),
  'answer of 100 kB, JSON in a string': JSON.stringify(
    answer(JSON.stringify(Array.from({ length: 2_000 }, (_, id) => ({ id, name: `note ${id}` })))),
  ),
};
const readers: Readonly<Record<string, (text: string, bytes: Buffer) => unknown>> = {
  'JSON.parse': (text) => JSON.parse(text),
  readJson: (text) => readJson(text),
  parseJson: (_, bytes) => parseJson(bytes, 64),
};

for (const [what, text] of Object.entries(texts)) {
  const bytes = Buffer.from(text);
  const count = Math.ceil(2_000_000 / text.length);
  const times = new Map<string, number[]>(Object.keys(readers).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, read] of Object.entries(readers)) {
      const from = process.cpuUsage();
      for (let index = 0; index < count; index++) read(text, bytes);
      const { user, system } = process.cpuUsage(from);
      times.get(name)?.push(((user + system) * 1000) / count);
    }
  }
  const median = (name: string) => times.get(name)?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
  const plain = median('JSON.parse');
  const shown = [...times.keys()].map(
    (name) => `${name} ${(median(name) / 1000).toFixed(1)} µs (${(median(name) / plain).toFixed(2)})`,
  );
  process.stdout.write(`${what.padEnd(36)} ${shown.join('  ')}\n`);
}
