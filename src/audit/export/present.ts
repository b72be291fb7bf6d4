export type Members = Readonly<Record<string, unknown>>;

/** Without what says nothing: null, undefined, empty lists and objects. */
export function present(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => says(value)));
}

/** What a mapping has no place for, under our own names. */
export function rest(entry: object, known: ReadonlySet<string>): Members {
  return present(Object.fromEntries(Object.entries(entry).filter(([name]) => !known.has(name))));
}

function says(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
