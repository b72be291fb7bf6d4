import { createRequire } from 'node:module';

/**
 * Regular expressions whose time grows with the text alone: RE2 (automata, nothing to backtrack). The caller chooses the
 * text, and the upstream may choose the pattern.
 */
export interface LinearPattern {
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
  /** Steps that one character may take at most: the length of the compiled program. */
  readonly stepsPerCharacter: number;
}

/** More than any pattern that people write; a bound on what an upstream's patterns may cost in memory. */
const maxLength = 1_000;

/**
 * @param pattern in the syntax of RE2, which is that of ECMAScript without look-around and back-references; `\uXXXX` is read too
 * @returns null when it cannot be matched in linear time, or is no pattern
 */
export function compileLinearPattern(pattern: string): LinearPattern | null {
  if (pattern.length > maxLength) return null;
  try {
    const compiled = library().RE2JS.compile(withoutUnicodeEscapes(pattern));
    return {
      test: (text) => compiled.test(text),
      stepsPerCharacter: Math.max(1, compiled.re2().prog.numInst()),
    };
  } catch {
    return null;
  }
}

/** `\u00e9` → `\x{00e9}`, an even number of backslashes before it aside. */
function withoutUnicodeEscapes(pattern: string): string {
  return pattern.replace(/\\(?:u([0-9a-fA-F]{4})|[\s\S])/g, (written, hex?: string) =>
    hex === undefined ? written : `\\x{${hex}}`,
  );
}

type Library = typeof import('@bufbuild/re2');
let loaded: Library | null = null;

/** Ten megabytes that most gateways never need: loaded with the first pattern. */
function library(): Library {
  loaded ??= createRequire(import.meta.url)('@bufbuild/re2') as Library;
  return loaded;
}
