import { serverPathOf } from './check.ts';
import { observedLayers } from './observe.ts';
import { embeddedDefaults, type FileConfig } from './schema.ts';
import { formatPath, type Path, type Place, type Source } from './source.ts';

/** One value of a configuration, and where it came from. */
export interface Explained {
  /** `limits.client`, `tools[2].scope`. */
  readonly path: string;
  /** As it would be written; of a secret the reference, never the value. */
  readonly value: string;
  /** `portcullis.yaml:34`, `--port`, or `default`. */
  readonly origin: string;
}

/** Lists every value of a checked file, defaults included. Holds no secret, because the file holds none. */
export function explainConfig(file: FileConfig, source: Source): Explained[] {
  const { detections, ...rest } = withDerived(file);
  const explained = ({ path, value }: Leaf): Explained => ({
    path: formatPath(path),
    value: formatValue(value),
    origin: formatOrigin(source.written(path)),
  });
  // Some forty thresholds that nobody wrote would bury what somebody did.
  const written = [...leaves(detections, ['detections'])].filter(({ path }) => source.written(path) !== null);
  const others = { path: ['detections'], value: 'built-in thresholds but for what stands here' };
  return [...[...leaves(rest, []), ...written].map(explained), { ...explained(others), origin: 'default' }];
}

const weakerBinding = 'none: a token of clientIds opens every server, which is weaker than an audience';

/** Adds what follows from other values, so that nothing that applies stays unsaid. */
function withDerived(file: FileConfig) {
  const servers = Object.fromEntries(
    Object.entries(file.servers).map(([name, { path: _, ...server }]) => [
      name,
      { path: serverPathOf(name, file.servers), ...server },
    ]),
  );
  const { embedded, issuers } = file.auth;
  const auth = {
    ...file.auth,
    ...(file.auth.observe && {
      'observe (AUTHENTICATION IS NOT ENFORCED)': `until ${file.auth.observe.until}`,
    }),
    issuers: issuers.map((issuer) =>
      issuer.audience === undefined ? { ...issuer, audience: weakerBinding } : issuer,
    ),
    embedded: embedded ?? (issuers.length > 0 ? 'off' : embeddedDefaults),
  };
  const { lock, changes = lock === undefined ? 'graded' : 'strict' } = file.pins;
  return {
    ...file,
    servers,
    auth,
    ...observedOf(file),
    tools: file.tools ?? 'built-in rules',
    tls: file.tls ?? 'none',
    pins: { changes, lock: lock ?? 'none: the first contact is trusted' },
  };
}

/** What is not in force, in capitals: nobody should take it for what it is not. */
function observedOf(file: FileConfig): Record<string, unknown> {
  const names = observedLayers(file);
  return names.length === 0 ? {} : { 'observed (NOT ENFORCED)': names };
}

interface Leaf {
  readonly path: Path;
  readonly value: unknown;
}

function* leaves(value: unknown, path: Path): Generator<Leaf> {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || isReference(value) || isShortList(value)) {
    yield { path, value };
    return;
  }
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  if (entries.length === 0) yield { path, value };
  for (const [key, inner] of entries) yield* leaves(inner, [...path, key]);
}

/** `{ env }`, `{ file }` or `{ command }` and nothing else. An upstream always has more keys. */
function isReference(value: object): boolean {
  const [[key, inner] = [], ...more] = Object.entries(value);
  if (more.length > 0) return false;
  return key === 'command'
    ? Array.isArray(inner)
    : (key === 'env' || key === 'file') && typeof inner === 'string';
}

function isShortList(value: object): boolean {
  return Array.isArray(value) && value.every((item) => typeof item !== 'object');
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const inner = Object.entries(value).map(([key, one]) => `${key}: ${formatValue(one)}`);
  return inner.length === 0 ? '{}' : `{ ${inner.join(', ')} }`;
}

function formatOrigin(place: Place | null): string {
  if (place === null) return 'default';
  return place.line === undefined ? place.source : `${place.source}:${place.line}`;
}
