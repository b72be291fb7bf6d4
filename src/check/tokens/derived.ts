import { decodeJwt } from 'jose';
import type * as oauth from 'oauth4webapi';
import { messageOf } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import type { NamedSecret } from '../evidence.ts';
import { connect } from '../mcp.ts';
import { named } from './read-token-set.ts';
import type { TokenName, TokenSet } from './token-set.ts';

/** Nobody runs a server there (RFC 6761): what is minted for it opens nothing. */
export const elsewhere = 'https://other.portcullis-check.invalid/mcp';

export interface Grant {
  /** Asks the token endpoint once more; `refresh` is the newest refresh token, null where the grant needs none. */
  ask(
    refresh: string | null,
    change: { resource: string; scope?: string },
  ): Promise<oauth.TokenEndpointResponse>;
  readonly good: NamedSecret;
  readonly scope: string;
  readonly refresh: string | null;
}

type Derived = Pick<TokenSet, 'tokens' | 'refreshToken' | 'unavailable'>;

/**
 * What else the issuer gives for the same consent: a token that may only read, and one for another server, which must be refused. An
 * issuer may use a refresh token up when it refuses: so that second one is asked for with a secret here, and with a refresh token last
 * of all, in T08.
 */
export async function derive(context: CheckContext, grant: Grant): Promise<Derived> {
  const tokens: Partial<Record<TokenName, NamedSecret>> = { good: grant.good };
  const unavailable: Partial<Record<TokenName, string>> = {};
  let { refresh } = grant;
  const wanted = [
    ['read-only', { resource: context.target.href, scope: readingPart(grant.scope) }],
    ['wrong-audience', { resource: elsewhere }],
  ] as const;
  for (const [name, change] of wanted) {
    if ('scope' in change ? change.scope === null : grant.refresh !== null) continue;
    try {
      const { resource, scope } = { scope: null, ...change };
      const answer = await grant.ask(refresh, { resource, ...(scope !== null && { scope }) });
      refresh = answer.refresh_token ?? refresh;
      const why = name === 'wrong-audience' ? sameAudience(answer.access_token, context.target.href) : null;
      if (why === null) tokens[name] = named(name, answer.access_token);
      else unavailable[name] = why;
    } catch (error) {
      unavailable[name] = `the issuer gives none (${messageOf(error)})`;
      refresh = null;
    }
  }
  const kept = { tokens, unavailable, refreshToken: refresh === null ? null : named('refresh', refresh) };
  if (refresh === null || refresh === grant.refresh || (await connect(context, grant.good)) !== null)
    return kept;
  return renewed(context, grant, refresh);
}

/** An issuer may end a token when the next one is made: then there is one good token, the newest, and no other. */
async function renewed(context: CheckContext, grant: Grant, refresh: string | null): Promise<Derived> {
  const answer = await grant.ask(refresh, { resource: context.target.href });
  const next = answer.refresh_token ?? refresh;
  const why = 'the issuer keeps one token alive at a time';
  return {
    tokens: { good: named('good', answer.access_token) },
    unavailable: { 'read-only': why, 'wrong-audience': why },
    refreshToken: next === null ? null : named('refresh', next),
  };
}

/** Scopes that say that they read, where others say that they do more; null where names do not tell them apart. */
function readingPart(scope: string): string | null {
  const scopes = scope.split(' ').filter(Boolean);
  const reading = scopes.filter((one) => /(^|[:./_-])(read|readonly|view|list)\b/i.test(one));
  const more = scopes.some((one) => /(^|[:./_-])(write|admin|delete|manage|edit)\b/i.test(one));
  return reading.length > 0 && more ? reading.join(' ') : null;
}

/** Why a token is none for another server: null if it is one. */
export function sameAudience(token: string, target: string): string | null {
  try {
    const { aud } = decodeJwt(token);
    const audiences = [aud].flat();
    if (audiences.includes(elsewhere) || !audiences.includes(target)) return null;
    return 'the issuer names the same audience, whatever server a token is asked for';
  } catch {
    return 'the issuer’s tokens are opaque: whether one is for another server cannot be read';
  }
}
