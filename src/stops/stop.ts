/** What can be stopped. */
export const stopKinds = ['tool', 'client', 'organization', 'server'] as const;
export type StopKind = (typeof stopKinds)[number];

/** What a stop is aimed at. */
export interface StopTarget {
  readonly kind: StopKind;
  /** Of tools and clients a glob (`*`, `?`); of organizations and servers the exact name. */
  readonly name: string;
  /** Tools of this server alone; null: of all. */
  readonly server: string | null;
  /** Clients and organizations that this issuer's tokens name; null: whoever names them. */
  readonly issuer: string | null;
}

/**
 * One stop, in force until it is resumed. Never changed otherwise and never taken away, so that copies in several places can be
 * put together in any order: what is known in one place holds, and only a resumption on record lifts it.
 */
export interface Stop extends StopTarget {
  /** UUID version 7. */
  readonly id: string;
  readonly reason: string | null;
  readonly by: string;
  /** Milliseconds since the Unix epoch. For people: nothing is decided by it. */
  readonly at: number;
  readonly resumed: { readonly by: string; readonly at: number } | null;
}

export const longestName = 2_048;
/** So many may be in force: each call is compared with them. */
export const mostStops = 1_000;

/** Whether two stops are aimed at the same. */
export function isSameTarget(a: StopTarget, b: StopTarget): boolean {
  return a.kind === b.kind && a.name === b.name && a.server === b.server && a.issuer === b.issuer;
}

/**
 * Reads a stop that another process wrote.
 * @throws Error when it is none: what cannot be read must not count as nothing
 */
export function readStop(value: unknown): Stop {
  const found = value as Partial<Record<keyof Stop, unknown>> | null;
  const kind = stopKinds.find((one) => one === found?.kind);
  if (!found || kind === undefined) throw new Error('a stop cannot be read');
  return {
    kind,
    id: text(found.id),
    name: text(found.name),
    server: textOrNull(found.server),
    issuer: textOrNull(found.issuer),
    reason: textOrNull(found.reason),
    by: text(found.by),
    at: whole(found.at),
    resumed: resumption(found.resumed),
  };
}

function resumption(value: unknown): Stop['resumed'] {
  if (value === null || value === undefined) return null;
  const { by, at } = value as { by?: unknown; at?: unknown };
  return { by: text(by), at: whole(at) };
}

function text(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error('a stop cannot be read');
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : text(value);
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new Error('a stop cannot be read');
}
