import { errors } from 'oidc-provider';

/**
 * What a token may hold: what was asked for within every bound, or the default within them. Asking for something and
 * getting nothing of it is refused, so that a client never takes a weaker token, or a stronger one, for what it wanted.
 * @param asked the `scope` parameter: attacker-controlled
 */
export function grantedScopes(
  asked: string | undefined,
  bounds: readonly (readonly string[])[],
  byDefault: readonly string[],
): readonly string[] {
  const wanted = asked === undefined ? byDefault : asked.split(' ');
  const granted = [...new Set(wanted)].filter((scope) => bounds.every((bound) => bound.includes(scope)));
  if (granted.length === 0) throw new errors.InvalidScope('the requested scope is not allowed', asked ?? '');
  return granted;
}
