import { attribute } from '../names.ts';

export type MetricKind = 'sum' | 'gauge' | 'histogram';

export interface Description {
  readonly name: string;
  /** UCUM: `s`, `By`, `{call}`. */
  readonly unit: string;
  readonly text: string;
  /** Names of attributes, in the order in which values are given. */
  readonly keys?: readonly string[];
}

export type Pair = readonly [key: string, value: string];

export interface HistogramValue {
  /** One more than there are bounds; not added up. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export interface Point {
  readonly attributes: readonly Pair[];
  readonly value: number | HistogramValue;
}

/** One instrument as it stands. */
export interface Metric extends Description {
  readonly kind: MetricKind;
  /** Of a histogram. */
  readonly bounds: readonly number[];
  readonly points: readonly Point[];
}

/** An absent attribute is null. */
export type Values = readonly (string | null)[];

export interface Counter {
  add(values: Values, by?: number): void;
}

export interface Histogram {
  record(values: Values, value: number): void;
}

/** What is read when somebody asks: pairs of values and number. */
export type Reading = () => Iterable<readonly [values: Values, value: number]>;

interface Series<T> {
  readonly attributes: readonly Pair[];
  readonly value: T;
}

/** Of one instrument. What comes beyond is counted together: no caller, and no server behind, can fill the memory with names. */
const mostSeries = 2_000;
/** Of a histogram, which has a line for each bucket. */
const mostTimed = 1_000;
const overflow: readonly Pair[] = [[attribute.overflow, 'true']];

/** The series of one instrument, by the values of its attributes. */
class SeriesMap<T> {
  readonly #keys: readonly string[];
  readonly #make: () => T;
  readonly #most: number;
  readonly #series = new Map<string, Series<T>>();

  constructor(keys: readonly string[], most: number, make: () => T) {
    this.#keys = keys;
    this.#most = most;
    this.#make = make;
  }

  of(values: Values): T {
    const key = values.join('\u0000');
    const found = this.#series.get(key);
    if (found) return found.value;
    if (this.#series.size >= this.#most) return this.#overflown();
    return this.#add(key, pairsOf(this.#keys, values));
  }

  all(): Iterable<Series<T>> {
    return this.#series.values();
  }

  #overflown(): T {
    return this.#series.get('\u0001')?.value ?? this.#add('\u0001', overflow);
  }

  #add(key: string, attributes: readonly Pair[]): T {
    const value = this.#make();
    this.#series.set(key, { attributes, value });
    return value;
  }
}

function pairsOf(keys: readonly string[], values: Values): Pair[] {
  return keys.flatMap((key, index): Pair[] => {
    const value = values[index];
    return value === null || value === undefined ? [] : [[key, value]];
  });
}

/** The instruments of this process. Numbers only ever grow, or are read when asked for; nothing runs in between. */
export class Registry {
  readonly #instruments: (() => Metric)[] = [];

  counter(description: Description): Counter {
    const series = new SeriesMap(description.keys ?? [], mostSeries, () => ({ sum: 0 }));
    this.#instruments.push(() => ({
      ...description,
      kind: 'sum',
      bounds: [],
      points: Array.from(series.all(), ({ attributes, value }) => ({ attributes, value: value.sum })),
    }));
    return {
      add(values, by = 1) {
        series.of(values).sum += by;
      },
    };
  }

  /** @param bounds upper ends of the buckets, inclusive, ascending */
  histogram(description: Description, bounds: readonly number[]): Histogram {
    const series = new SeriesMap(description.keys ?? [], mostTimed, () => ({
      counts: new Array<number>(bounds.length + 1).fill(0),
      sum: 0,
      count: 0,
    }));
    this.#instruments.push(() => ({
      ...description,
      kind: 'histogram',
      bounds,
      points: Array.from(series.all(), ({ attributes, value }) => ({
        attributes,
        value: { ...value, counts: [...value.counts] },
      })),
    }));
    return {
      record(values, number) {
        const one = series.of(values);
        const index = bucketOf(bounds, number);
        one.counts[index] = (one.counts[index] ?? 0) + 1;
        one.sum += number;
        one.count += 1;
      },
    };
  }

  /** @param kind `sum` for what only grows */
  observed(kind: 'gauge' | 'sum', description: Description, read: Reading): void {
    this.#instruments.push(() => {
      const points: Point[] = [];
      for (const [values, value] of read()) {
        if (points.length >= mostSeries) break;
        points.push({ attributes: pairsOf(description.keys ?? [], values), value });
      }
      return { ...description, kind, bounds: [], points };
    });
  }

  /** What has a number by now. */
  collect(): Metric[] {
    return this.#instruments.map((read) => read()).filter(({ points }) => points.length > 0);
  }
}

function bucketOf(bounds: readonly number[], number: number): number {
  let index = 0;
  while (index < bounds.length && number > (bounds[index] ?? 0)) index += 1;
  return index;
}
