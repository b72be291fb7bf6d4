/**
 * What a client asked for, reduced to what there is. Unknown scopes are dropped, not refused (RFC 6749 section 3.3 lets
 * the server ignore scopes); `openid` is among them because no ID token is issued. A request that names none gets the
 * baseline.
 * @param requested the `scope` parameter: attacker-controlled
 */
export function effectiveScope(
  requested: string | null,
  known: ReadonlySet<string>,
  baseline: readonly string[],
): string {
  const found = knownScopes(requested ?? '', known);
  const useful = found.filter((scope) => scope !== offlineAccess);
  return (useful.length > 0 ? found : [...baseline, ...found]).join(' ');
}

/** The scopes of a space-separated list that exist, each once, in the order asked. */
export function knownScopes(list: string, known: ReadonlySet<string>): string[] {
  return [...new Set(list.split(' '))].filter((scope) => known.has(scope) || scope === offlineAccess);
}

/** Asked for by some clients; refresh tokens are issued with or without it. */
export const offlineAccess = 'offline_access';
