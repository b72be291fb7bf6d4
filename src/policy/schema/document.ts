import { isObject, type Json, type JsonObject } from '../../protocol/index.ts';

const maxNodes = 20_000;
const maxDepth = 100;

/** The schema cannot be used: broken, too large, or it needs a document that is elsewhere. */
export class SchemaFault extends Error {
  override readonly name = 'SchemaFault';
}

/** Keywords below which every member is a schema, and those that are one, or a list of them. */
const maps = ['$defs', 'definitions', 'properties', 'patternProperties', 'dependentSchemas', 'dependencies'];
const singles = [
  ...[
    'items',
    'additionalItems',
    'unevaluatedItems',
    'contains',
    'additionalProperties',
    'unevaluatedProperties',
  ],
  ...['propertyNames', 'not', 'if', 'then', 'else'],
];
const lists = ['prefixItems', 'items', 'allOf', 'anyOf', 'oneOf'];

/** Has no meaning but to tell relative references from absolute ones. */
const root = 'portcullis:///';

/**
 * A schema document and the names that its parts can be referred to by. References lead inside of it alone: none is fetched, nor read
 * from anywhere else.
 */
export class SchemaDocument {
  readonly schema: Json;
  /** `$ref` hides its siblings up to draft 7. */
  readonly refStandsAlone: boolean;
  readonly usesUnevaluated: boolean;
  readonly #named = new Map<string, Json>();
  readonly #dynamic = new Map<string, JsonObject[]>();
  readonly #bases = new Map<Json, string>();
  #nodes = 0;
  #unevaluated = false;

  /** @throws SchemaFault */
  constructor(schema: Json) {
    this.schema = schema;
    const dialect = isObject(schema) ? schema['$schema'] : undefined;
    this.refStandsAlone = typeof dialect === 'string' && /draft-0[3-7]\b/.test(dialect);
    this.#named.set(root, schema);
    this.#walk(schema, { base: root, depth: 0 });
    this.usesUnevaluated = this.#unevaluated;
  }

  /** @throws SchemaFault for what is not in this document */
  resolve(reference: string, from: JsonObject): Json {
    const target = this.#find(reference, this.#bases.get(from) ?? root);
    if (target === undefined) throw new SchemaFault('refers to a schema that is not part of it');
    return target;
  }

  /** The only schema of that dynamic name. Of several the right one depends on the way there: not supported. */
  resolveDynamic(reference: string, from: JsonObject): Json {
    const anchors = this.#dynamic.get(reference.slice(reference.indexOf('#') + 1)) ?? [];
    if (anchors.length > 1) throw new SchemaFault('has one $dynamicAnchor twice');
    return anchors[0] ?? this.resolve(reference, from);
  }

  #find(reference: string, base: string): Json | undefined {
    if (!URL.canParse(reference, base)) return undefined;
    const url = new URL(reference, base);
    const fragment = decoded(url.hash.slice(1));
    url.hash = '';
    const resource = this.#named.get(url.href);
    if (fragment === '' || resource === undefined) return resource;
    return fragment.startsWith('/')
      ? valueAt(resource, fragment)
      : this.#named.get(`${url.href}#${fragment}`);
  }

  #walk(schema: Json, { base, depth }: { base: string; depth: number }): void {
    if (++this.#nodes > maxNodes || depth > maxDepth) throw new SchemaFault('is too large');
    if (typeof schema === 'boolean') return;
    if (!isObject(schema)) throw new SchemaFault('has something that is no schema where one belongs');
    const own = this.#nameOf(schema, base);
    this.#bases.set(schema, own);
    this.#unevaluated ||= 'unevaluatedProperties' in schema || 'unevaluatedItems' in schema;
    for (const inner of subschemas(schema)) this.#walk(inner, { base: own, depth: depth + 1 });
  }

  /** @returns the base of references inside of it */
  #nameOf(schema: JsonObject, base: string): string {
    const id = schema['$id'];
    let own = base;
    if (typeof id === 'string' && id.startsWith('#'))
      this.#name(`${base}${id}`, schema); // draft 7
    else if (typeof id === 'string' && URL.canParse(id, base)) {
      own = new URL(id, base).href.replace(/#$/, '');
      this.#name(own, schema);
    }
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = schema[keyword];
      if (typeof anchor === 'string') this.#name(`${own}#${anchor}`, schema);
    }
    const dynamic = schema['$dynamicAnchor'];
    if (typeof dynamic === 'string')
      this.#dynamic.set(dynamic, [...(this.#dynamic.get(dynamic) ?? []), schema]);
    return own;
  }

  #name(name: string, schema: JsonObject): void {
    const known = this.#named.get(name);
    if (known !== undefined && known !== schema) throw new SchemaFault('gives one name to two schemas');
    this.#named.set(name, schema);
  }
}

function* subschemas(schema: JsonObject): Generator<Json> {
  for (const keyword of maps) {
    const members = own(schema, keyword);
    if (!isObject(members)) continue;
    // `dependencies` of draft 7 holds lists of names too
    for (const inner of Object.values(members))
      if (keyword !== 'dependencies' || !Array.isArray(inner)) yield inner;
  }
  for (const keyword of singles) {
    const inner = own(schema, keyword);
    if (inner !== undefined && !Array.isArray(inner)) yield inner;
  }
  for (const keyword of lists) {
    const inner = own(schema, keyword);
    if (Array.isArray(inner)) yield* inner;
  }
}

/** Own members alone: a keyword is no method of every object. */
export function own(schema: JsonObject, keyword: string): Json | undefined {
  return Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
}

function valueAt(value: Json, pointer: string): Json | undefined {
  let found: Json | undefined = value;
  for (const part of pointer.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as JsonObject)[key];
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
