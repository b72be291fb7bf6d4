import type { Json, JsonObject } from '../../protocol/index.ts';
import { isObject } from '../../protocol/index.ts';
import { type Handling, handlingOf, type RuleNode, rulesBelow } from './field-rules.ts';

export interface ExcerptOptions {
  readonly rules: RuleNode;
  /** What becomes of a field that no rule names. */
  readonly others: 'keep' | 'unnamed';
  /** Names a value, the same for the same value. */
  readonly hash: (value: Json) => string;
  /** Strings and names as they may be shown. */
  readonly shown: (text: string) => string;
  /** Whether the value of a member of this name is a secret, whatever it looks like. */
  readonly isSecret: (name: string) => boolean;
  /** Longest text, in UTF-16 units. */
  readonly most: number;
}

export interface Excerpt {
  /** JSON. */
  readonly text: string;
  /** How many fields were dropped, hashed, masked or cleaned. */
  readonly redactions: number;
  /** Whether something is left out for its size: `…` stands at the end of what was cut. */
  readonly cut: boolean;
}

/** First nothing but the whole is bounded; what does not fit then loses what is longest. */
const bounds = [
  { string: Number.POSITIVE_INFINITY, items: Number.POSITIVE_INFINITY },
  { string: 1_000, items: 100 },
  { string: 100, items: 20 },
] as const;
const longestName = 200;

/**
 * The arguments of a call without what must not be kept. Attacker-controlled in every name, order and size: the text is written
 * here and no object is made, so that `__proto__` is a name as any other.
 */
export function excerptOf(args: JsonObject, options: ExcerptOptions): Excerpt {
  let excerpt: Excerpt = { text: '{}', redactions: 0, cut: true };
  for (const bound of bounds) {
    const writer = new Writer(options, bound);
    const text = writer.value(args, [options.rules], handlingOf([options.rules]) ?? options.others);
    excerpt = { text: text ?? '{}', redactions: writer.redactions, cut: writer.isCut };
    if (!writer.isFull) return excerpt;
  }
  return excerpt;
}

interface Bound {
  readonly string: number;
  readonly items: number;
}

/** `unnamed`: not kept, but for what a rule names inside of it. */
type Standing = Handling | 'unnamed';

class Writer {
  redactions = 0;
  isCut = false;
  isFull = false;
  readonly #options: ExcerptOptions;
  readonly #bound: Bound;
  #room: number;

  constructor(options: ExcerptOptions, bound: Bound) {
    this.#options = options;
    this.#bound = bound;
    this.#room = options.most;
  }

  /** @returns JSON; null for what is left out */
  value(value: Json, rules: readonly RuleNode[], how: Standing): string | null {
    if (how === 'drop') return this.#hidden(null);
    if (how === 'hash') return this.#hidden(JSON.stringify(this.#options.hash(value)));
    if (how === 'mask') return this.#hidden(JSON.stringify(this.#options.shown(masked(value))));
    const inside = rules.some(({ named, any }) => named.size > 0 || any !== null);
    if (how === 'unnamed' && !inside) return this.#hidden(null);
    if (Array.isArray(value)) return this.#list(value, rules, how);
    if (isObject(value)) return this.#object(value, rules, how);
    if (how === 'unnamed') return this.#hidden(null);
    return typeof value === 'string' ? this.#string(value) : this.#took(JSON.stringify(value));
  }

  #object(object: JsonObject, rules: readonly RuleNode[], how: Standing): string {
    const parts: string[] = [];
    const names = new Set<string>();
    this.#took('{}');
    for (const name of Object.keys(object)) {
      if (this.#isOver()) break;
      const value = object[name] ?? null;
      const below = rulesBelow(rules, name);
      const handling = handlingOf(below) ?? how;
      if (handling === 'unnamed' && below.length === 0) {
        this.redactions += 1;
        continue;
      }
      const shown = this.#name(name);
      // Two names that look alike once they are neutral would be one member twice.
      const text = names.has(shown) ? this.#hidden(null) : this.#member(name, value, { below, handling });
      if (text === null) continue;
      names.add(shown);
      this.#took(`${shown}:,`);
      parts.push(`${shown}:${text}`);
    }
    if (this.#isOver()) parts.push('"…":"…"');
    return `{${parts.join(',')}}`;
  }

  #member(
    name: string,
    value: Json,
    { below, handling }: { below: readonly RuleNode[]; handling: Standing },
  ): string | null {
    if (handling === 'keep' && this.#options.isSecret(name)) return this.#hidden('"[redacted]"');
    return this.value(value, below, handling);
  }

  #list(list: readonly Json[], rules: readonly RuleNode[], how: Standing): string {
    const parts: string[] = [];
    this.#took('[]');
    for (const [index, value] of list.entries()) {
      if (index >= this.#bound.items || this.#isOver()) {
        this.isCut = true;
        parts.push('"…"');
        break;
      }
      const below = rulesBelow(rules, String(index));
      // What is left out keeps its place: the others stay where the pointers say.
      parts.push(this.value(value, below, handlingOf(below) ?? how) ?? this.#took('null'));
      this.#took(',');
    }
    return `[${parts.join(',')}]`;
  }

  #string(value: string): string {
    const longest = Math.min(this.#bound.string, this.#options.most);
    const cut = value.length > longest;
    // Looked at twice as far, so that a credential which crosses the end is seen whole enough.
    const shown = this.#options.shown(cut ? value.slice(0, longest * 2) : value);
    if (cut) this.isCut = true;
    else if (shown !== value) this.redactions += 1;
    return this.#took(JSON.stringify(cut ? ended(shown, longest) : shown));
  }

  #name(name: string): string {
    const cut = name.length > longestName;
    if (cut) this.isCut = true;
    const shown = this.#options.shown(cut ? name.slice(0, longestName * 2) : name);
    return JSON.stringify(cut ? ended(shown, longestName) : shown);
  }

  #hidden(text: string | null): string | null {
    this.redactions += 1;
    return text === null ? null : this.#took(text);
  }

  #took(text: string): string {
    this.#room -= text.length;
    if (this.#room < 0) this.isFull = true;
    return text;
  }

  #isOver(): boolean {
    if (!this.isFull) return false;
    this.isCut = true;
    return true;
  }
}

function ended(text: string, length: number): string {
  return `${text.slice(0, length).toWellFormed()}…`;
}

const leastMasked = 12;
const shownOfMasked = 4;

/** The last four characters of what is long enough that they do not give it away. */
function masked(value: Json): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return '[masked]';
  const characters = [...text.slice(-64)];
  return characters.length < leastMasked ? '[masked]' : `…${characters.slice(-shownOfMasked).join('')}`;
}
