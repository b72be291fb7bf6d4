import type { Path } from './source.ts';

/** Deeper than any configuration; a bound against a file made to be deep. */
const maxDepth = 32;

/** Every value that is neither map nor list, and every map and list, with its path, parents first. */
export function* walk(value: unknown, path: Path = []): Generator<{ path: Path; value: unknown }> {
  yield { path, value };
  if (typeof value !== 'object' || value === null || path.length >= maxDepth) return;
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  for (const [key, inner] of entries) yield* walk(inner, [...path, key]);
}

/** True if the path fits the pattern; `*` stands for one step: `servers.*.upstream.env.*`. */
export function fits(path: Path, pattern: string): boolean {
  const parts = pattern.split('.');
  return (
    parts.length === path.length && parts.every((part, index) => part === '*' || part === String(path[index]))
  );
}
