/**
 * Matches whole strings against a glob: `*` any run of characters (also none), `?` exactly one, everything else
 * itself, case-sensitive. A character is a Unicode code point.
 */
export interface Glob {
  readonly pattern: string;
  /** @param counter for tests: counts the machine's steps */
  matches(text: string, counter?: StepCounter): boolean;
}

export interface StepCounter {
  steps: number;
}

/**
 * Compiles to a bit-parallel automaton: bit i of the state says that the first i characters of the pattern can have been
 * read by now. Each character of the text costs one step per 32 pattern characters, whatever either of them says,
 * so a caller who chooses the text cannot make it slow (no regular expression, nothing to backtrack).
 */
export function compileGlob(pattern: string): Glob {
  if (/^\*+$/.test(pattern)) return { pattern, matches: () => true };
  if (!/[*?]/.test(pattern)) return { pattern, matches: (text) => text === pattern };
  const automaton = build(pattern);
  return { pattern, matches: (text, counter) => run(automaton, text, counter) };
}

interface Automaton {
  /** Number of pattern characters without the stars; the accepting state's bit. */
  readonly length: number;
  /** Bit i: a star follows i characters, so state i survives any character. */
  readonly loops: Int32Array;
  /** Bit i of a code point's mask: it can be pattern character i. */
  readonly masks: ReadonlyMap<number, Int32Array>;
  /** For code points that the pattern does not contain: the question marks alone. */
  readonly others: Int32Array;
}

function build(pattern: string): Automaton {
  const characters = [...pattern];
  const length = characters.filter((character) => character !== '*').length;
  const words = (length >> 5) + 1;
  const loops = new Int32Array(words);
  const others = new Int32Array(words);
  const masks = new Map<number, Int32Array>();
  let state = 0;
  for (const character of characters) {
    if (character === '*') setBit(loops, state);
    else if (character === '?') setBit(others, state++);
    else setBit(maskOf(masks, character, words), state++);
  }
  for (const mask of masks.values()) {
    for (let word = 0; word < words; word++) mask[word] = at(mask, word) | at(others, word);
  }
  return { length, loops, masks, others };
}

function run(automaton: Automaton, text: string, counter: StepCounter | undefined): boolean {
  const { loops, masks, others, length } = automaton;
  const words = loops.length;
  const state = new Int32Array(words);
  state[0] = 1;
  for (let index = 0; index < text.length; ) {
    const character = text.codePointAt(index) ?? 0;
    index += character > 0xffff ? 2 : 1;
    const mask = masks.get(character) ?? others;
    let carry = 0;
    let alive = 0;
    for (let word = 0; word < words; word++) {
      const advancing = at(state, word) & at(mask, word);
      const next = (advancing << 1) | carry | (at(state, word) & at(loops, word));
      carry = advancing >>> 31;
      state[word] = next;
      alive |= next;
      if (counter) counter.steps++;
    }
    if (alive === 0) return false;
  }
  return (at(state, length >> 5) & (1 << (length & 31))) !== 0;
}

function maskOf(masks: Map<number, Int32Array>, character: string, words: number): Int32Array {
  const code = character.codePointAt(0) ?? 0;
  const mask = masks.get(code) ?? new Int32Array(words);
  masks.set(code, mask);
  return mask;
}

function setBit(bits: Int32Array, index: number): void {
  bits[index >> 5] = at(bits, index >> 5) | (1 << (index & 31));
}

function at(bits: Int32Array, word: number): number {
  return bits[word] ?? 0;
}
