import type { FieldRule } from '../../policy/index.ts';

export type Handling = FieldRule['how'];

/** Field rules as a tree, so that a walk over the arguments asks each name once. Compiled when the configuration is loaded. */
export interface RuleNode {
  readonly how: Handling | null;
  /** By the exact name: no folding of case, no normalization, so that what looks alike is another field. */
  readonly named: ReadonlyMap<string, RuleNode>;
  /** `*`. */
  readonly any: RuleNode | null;
}

/** From what shows most to what shows least. */
const strictness: readonly Handling[] = ['keep', 'mask', 'hash', 'drop'];

export function compileFieldRules(rules: readonly FieldRule[]): RuleNode {
  const here = rules.filter(({ path }) => path.length === 0);
  const below = Map.groupBy(
    rules.filter(({ path }) => path.length > 0),
    ({ path }) => path[0] ?? '',
  );
  const named = new Map<string, RuleNode>();
  for (const [name, inner] of below) {
    named.set(name, compileFieldRules(inner.map(({ path, how }) => ({ path: path.slice(1), how }))));
  }
  const any = named.get('*') ?? null;
  named.delete('*');
  return { how: strictest(here.map(({ how }) => how)), named, any };
}

/**
 * The rules that speak of a member, given those of what it is in. All of them go on, so that `/users/*\/password` is not lost where
 * `/users/0/name` fits too.
 */
export function rulesBelow(nodes: readonly RuleNode[], name: string): readonly RuleNode[] {
  const found: RuleNode[] = [];
  for (const { named, any } of nodes) {
    const exact = named.get(name);
    if (exact) found.push(exact);
    if (any) found.push(any);
  }
  return found;
}

/** Null: none of them says anything, and what holds above goes on. */
export function handlingOf(nodes: readonly RuleNode[]): Handling | null {
  return strictest(nodes.flatMap(({ how }) => (how === null ? [] : [how])));
}

function strictest(found: readonly Handling[]): Handling | null {
  return strictness.findLast((how) => found.includes(how)) ?? null;
}
