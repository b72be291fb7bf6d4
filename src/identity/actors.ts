/** Parties that may stand one behind the other: more is nobody's delegation. */
const mostActors = 8;
const longestName = 500;

/**
 * The chain in the claim `act` (RFC 8693 section 4.1): who acts now, then on whose behalf that party got the token, and so on.
 * Shown and recorded, and no ground for any right.
 *
 * @param act attacker-controlled only as far as its issuer lets it be
 * @returns nearest first; null for what names nobody
 */
export function actorsOf(act: unknown): readonly string[] | null {
  const found: string[] = [];
  for (let next = act; next !== undefined; ) {
    if (typeof next !== 'object' || next === null || found.length === mostActors) return null;
    const { sub, act: before } = next as { sub?: unknown; act?: unknown };
    if (typeof sub !== 'string' || sub === '' || sub.length > longestName) return null;
    found.push(sub);
    next = before;
  }
  return found;
}
