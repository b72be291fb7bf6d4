import type { Json } from '../protocol/index.ts';

export interface Text {
  readonly path: string;
  readonly text: string;
  /** Whether it is prose: a title or description. Otherwise a key, a name, a value. */
  readonly prose: boolean;
}

const proseKeys: ReadonlySet<string> = new Set(['description', 'title', '$comment']);

/** Every string of a definition that a model may read, names of members among them. */
export function textsOf(value: Json, path = '', key = ''): Text[] {
  if (typeof value === 'string') return [{ path, text: value, prose: proseKeys.has(key) }];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one, index) => textsOf(one, `${path}[${index}]`, key));
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = path === '' ? name : `${path}.${name}`;
    return [{ path: here, text: name, prose: false }, ...textsOf(inner, here, name)];
  });
}
