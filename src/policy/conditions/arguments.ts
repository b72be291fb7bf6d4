import type { CelInput, CelList, CelMap } from '@bufbuild/cel';
import { isObject, type Json, type JsonObject } from '../../protocol/index.ts';
import { library } from './library.ts';
import { elementCharge, type Meter } from './meter.ts';

/**
 * The arguments of a call as an expression sees them. A member is converted when it is read and charged for its size, so
 * that a megabyte that no condition looks at costs nothing, and one that is read a thousand times is charged for each.
 *
 * Whole numbers are `int` (JSON does not tell 1 from 1.0), others `double`. Own members alone: `__proto__` and `constructor` are names
 * like any other.
 *
 * @param args attacker-controlled
 */
export function viewOfObject(args: JsonObject, meter: Meter): CelMap {
  const members = new Members(args, meter);
  const view = library().celMap(members as unknown as ReadonlyMap<string, CelInput>);
  // The library asks `get(key) != undefined`, which is false for a member that is null.
  return Object.assign(view, { has: (key: unknown) => typeof key === 'string' && members.has(key) });
}

function viewOf(value: Json, meter: Meter): CelInput {
  if (typeof value === 'string') {
    meter.charge(1 + value.length);
    return value;
  }
  meter.charge(1);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return viewOfList(value, meter);
  return isObject(value) ? viewOfObject(value, meter) : value;
}

/** Charged whole: the library goes through lists by itself. */
function viewOfList(list: readonly Json[], meter: Meter): CelList {
  meter.charge(list.length * elementCharge);
  return library().celList(list.map((item) => viewOf(item, meter)));
}

/** The part of a Map that the library reads. */
class Members {
  readonly #object: JsonObject;
  readonly #meter: Meter;
  #size = -1;

  constructor(object: JsonObject, meter: Meter) {
    this.#object = object;
    this.#meter = meter;
  }

  get size(): number {
    if (this.#size === -1) {
      this.#size = Object.keys(this.#object).length;
      this.#meter.charge(this.#size);
    }
    return this.#size;
  }

  has(key: string): boolean {
    this.#meter.charge(1);
    return Object.hasOwn(this.#object, key);
  }

  get(key: unknown): CelInput | undefined {
    this.#meter.charge(1);
    if (typeof key !== 'string' || !Object.hasOwn(this.#object, key)) return undefined;
    return viewOf(this.#object[key] ?? null, this.#meter);
  }

  *keys(): Generator<string> {
    for (const key of Object.keys(this.#object)) {
      this.#meter.charge(elementCharge + key.length);
      yield key;
    }
  }

  *entries(): Generator<[string, CelInput]> {
    for (const key of this.keys()) yield [key, this.get(key) ?? null];
  }

  *values(): Generator<CelInput> {
    for (const [, value] of this.entries()) yield value;
  }
}
