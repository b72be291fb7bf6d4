import { hash } from 'node:crypto';
import { KeyedStates, type KeyState } from './keyed-state.ts';
import { compileMatch } from './match.ts';
import { firstValue, type Observation, valuesOf } from './observation.ts';
import type { Field, Rule } from './rule.ts';
import { configurationKey } from './rules.ts';
import type { Seen } from './seen.ts';

/** By the rule's key in the configuration. A rule that is not named has its own. */
export type Thresholds = Readonly<Record<string, Threshold>>;

export interface Threshold {
  readonly count: number;
  readonly withinMs: number;
}

export interface Finding {
  readonly rule: Rule;
  readonly threshold: Threshold;
  /** What is counted apart, with its values; empty where everything is counted together. */
  readonly key: Readonly<Partial<Record<Field, string>>>;
  /** Matches in the window; since the key was told of last, if that was longer ago. */
  readonly count: number;
  /** What was new or different, where the rule looks for that; bounded. */
  readonly values: readonly string[];
  /** The match that completed it. */
  readonly observation: Observation;
}

export interface EngineOptions {
  readonly rules: readonly Rule[];
  readonly seen: Seen;
  readonly maxKeys: number;
}

interface Counter {
  readonly fields: readonly Field[];
  readonly states: KeyedStates;
}

interface Compiled {
  readonly rule: Rule;
  readonly configured: string;
  readonly matches: (observation: Observation) => boolean;
  readonly counters: readonly Counter[];
}

export interface Times {
  /** Of the monotonic clock, for windows. */
  readonly now: number;
  /** Since the epoch, for what outlives the process. */
  readonly epoch: number;
}

const mostValues = 8;

/** The rules over a stream of records. No I/O but what `Seen` keeps; the times are parameters. */
export class Engine {
  readonly #rules: readonly Compiled[];
  readonly #seen: Seen;
  #thresholds: Thresholds = {};

  constructor({ rules, seen, maxKeys }: EngineOptions) {
    this.#seen = seen;
    this.#rules = rules.map((rule) => {
      const matches = rule.matches.map(compileMatch);
      return {
        rule,
        configured: configurationKey(rule.id),
        matches: (observation) => matches.some((match) => match(observation)),
        counters: rule.by.map((fields) => ({
          fields,
          states: new KeyedStates(fields.length === 0 ? 1 : maxKeys),
        })),
      };
    });
  }

  /** Counts go on: what was counted is measured against the new thresholds. */
  configure(thresholds: Thresholds): void {
    this.#thresholds = thresholds;
  }

  observe(observation: Observation, times: Times): Finding[] {
    const found: Finding[] = [];
    for (const compiled of this.#rules) {
      if (!compiled.matches(observation)) continue;
      for (const counter of compiled.counters) {
        const finding = this.#count(compiled, counter, { observation, times });
        if (finding) found.push(finding);
      }
    }
    return found;
  }

  /** Rules that lost the state of keys before their time since this was asked last. */
  takeDropped(): { readonly rule: Rule; readonly keys: number }[] {
    return this.#rules.flatMap(({ rule, counters }) => {
      const keys = counters.reduce((sum, { states }) => sum + states.takeDropped(), 0);
      return keys === 0 ? [] : [{ rule, keys }];
    });
  }

  /** Keys in memory, over all rules. */
  get size(): number {
    return this.#rules.reduce(
      (sum, { counters }) => sum + counters.reduce((inner, { states }) => inner + states.size, 0),
      0,
    );
  }

  #count(
    { rule, configured }: Compiled,
    { fields, states }: Counter,
    seen: { observation: Observation; times: Times },
  ): Finding | null {
    const { observation, times } = seen;
    const parts = fields.map((field) => firstValue(observation, field));
    if (!parts.every((part) => part !== null)) return null;
    const key = JSON.stringify(parts);
    const values = this.#valuesToCount(rule, key, seen);
    if (values === null) return null;
    const threshold = this.#thresholds[configured] ?? rule;
    const { now } = times;
    // A value is new only once: there is nothing to count, and nothing that may be told of once only.
    const count =
      rule.shape.kind === 'first'
        ? 1
        : states.update(key, { now, withinMs: threshold.withinMs }, (state) =>
            mark(state, { now, value: values.mark, threshold }),
          );
    if (count === null) return null;
    const named = Object.fromEntries(fields.map((field, index) => [field, parts[index] ?? '']));
    return { rule, threshold, key: named, count, values: values.shown, observation };
  }

  /** What tells this match from others; null when it is none after all. */
  #valuesToCount(
    { id, shape }: Rule,
    key: string,
    { observation, times }: { observation: Observation; times: Times },
  ): { mark: string | null; shown: readonly string[] } | null {
    if (shape.kind === 'distinct') {
      const value = firstValue(observation, shape.of);
      return value === null ? null : { mark: digest(value), shown: [value] };
    }
    if (shape.kind !== 'first') return { mark: null, shown: [] };
    const values =
      shape.of.length === 1
        ? valuesOf(observation, shape.of[0] ?? 'scopes')
        : [together(observation, shape.of)];
    const isNewKey = shape.baseline && this.#seen.add(`${id}\n${key}`, times.epoch);
    const fresh = values.filter((value) => this.#seen.add(`${id}\n${key}\n${value}`, times.epoch));
    return isNewKey || fresh.length === 0 ? null : { mark: null, shown: fresh.slice(0, mostValues) };
  }
}

function together(observation: Observation, fields: readonly Field[]): string {
  return fields.map((field) => firstValue(observation, field) ?? '').join(' ');
}

/** Attacker-controlled and of any length: state holds a digest. */
function digest(value: string): string {
  return hash('sha256', value, 'base64url').slice(0, 16);
}

/** Adds a match. @returns how many there are when the threshold is reached and the key was not told of lately */
function mark(
  state: KeyState,
  { now, value, threshold }: { now: number; value: string | null; threshold: Threshold },
): number | null {
  const { marks } = state;
  if (marks.length === 0) state.since = 0;
  const same = value === null ? -1 : marks.findIndex((one) => one.value === value);
  if (same >= 0) marks.splice(same, 1);
  marks.push({ at: now, value });
  if (marks.length > threshold.count) marks.shift();
  state.since += 1;
  if (marks.length < threshold.count) return null;
  if (state.toldAt !== null && state.toldAt > now - threshold.withinMs) return null;
  const count = state.toldAt === null || value !== null ? marks.length : Math.max(marks.length, state.since);
  state.toldAt = now;
  state.since = 0;
  return count;
}
