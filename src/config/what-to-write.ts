import { knownKeys } from './known-keys.ts';
import { fileSchema } from './schema.ts';
import type { Path } from './source.ts';

const upstream =
  'write upstream: { url: "http://127.0.0.1:3000/mcp" }, or upstream: { command: [program, argument] }';

/** What belongs at the places that every configuration has, for somebody who writes the first one. */
const examples: Readonly<Record<string, string>> = {
  publicUrl: 'write the address that clients will type: publicUrl: http://127.0.0.1:4180',
  data: 'write where accounts, keys and the audit log go: data: ./data',
  servers: 'write servers: { notes: { upstream: { url: "http://127.0.0.1:3000/mcp" } } }',
  'servers.*': upstream,
  'servers.*.upstream': upstream,
  'servers.*.upstream.command': 'write command: [program, argument]',
};

/** Undefined where there is nothing to say that the message does not. */
export function exampleAt(path: Path): string | undefined {
  return examples[path.map((part, index) => (index === 1 ? '*' : part)).join('.')];
}

/** The one key at `parent` below which `key` is known; null for none or several. */
export function placeBelow(parent: Path, key: string): string | null {
  const places = knownKeys(fileSchema, parent).filter((name) =>
    knownKeys(fileSchema, [...parent, name]).includes(key),
  );
  return places.length === 1 ? (places[0] ?? null) : null;
}
