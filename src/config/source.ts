/** Way to a value inside a configuration: `['tools', 2, 'match']`. */
export type Path = readonly (string | number)[];

/** Where a value was written. */
export interface Place {
  /** File as the operator named it, or the command-line option. */
  readonly source: string;
  readonly line?: number;
  readonly column?: number;
}

/** Something that a configuration is read from: a YAML file, or the options of a command. */
export interface Source {
  /** The values as written, before any check. Never trusted to have a shape. */
  readonly raw: unknown;
  /** Directory that relative paths start from. Absolute. */
  readonly directory: string;
  /** Where the value stands; where it is absent, its nearest parent. */
  place(path: Path): Place;
  /** Where the value stands, or null when nobody wrote it and a default applies. */
  written(path: Path): Place | null;
}

/** `['tools', 2, 'match']` → `tools[2].match`. */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

/** The value at a path of what was written, or undefined. */
export function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
