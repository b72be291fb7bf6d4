import type { CheckContext } from '../context.ts';
import { notTested, type Probe, type Verdict } from '../probe.ts';
import { refresh } from '../tokens/authorization-requests.ts';
import { elsewhere, sameAudience } from '../tokens/derived.ts';
import { goodTokenWorks } from '../tokens/good.ts';
import { mustRefuse, tokenRemedy } from '../tokens/refused-token.ts';
import { allRefused } from '../tokens/trial.ts';

export const wrongAudience: Probe = {
  id: 'T08',
  title: 'A token for another server is refused',
  severity: 'critical',
  mode: 'tokens',
  reference: 'RFC 8707; MCP 2026-07-28 authorization, “Access Token Privilege Restriction”',
  guideItems: [4, 12],
  why: 'Whoever runs a less careful server, or steals a token there, calls yours with it.',
  remedy: tokenRemedy,
  async run(context) {
    const { tokens, refreshToken } = context.tokens;
    if (tokens['wrong-audience'] === undefined && refreshToken !== null) return byRefresh(context);
    return mustRefuse(context, 'wrong-audience', 'a token for another audience');
  },
};

const needs = '--lab, or --tokens FILE with "wrong-audience"';

/** Of the same grant, for a server that is not this one: where the issuer gives that. */
async function byRefresh(context: CheckContext): Promise<Verdict> {
  const works = await context.once(goodTokenWorks);
  const { refreshToken } = context.tokens;
  if (works !== true || refreshToken === null)
    return works === true ? notTested('no refresh token', needs) : works;
  const other = await refresh(context, refreshToken, elsewhere);
  if (other === null) return notTested('the issuer gives no token for another server', needs);
  const why = sameAudience(other.token.secret.reveal(), context.target.href);
  if (why !== null) return notTested(why, needs);
  return allRefused(context, [{ what: 'a token for another server', token: other.token }]);
}
