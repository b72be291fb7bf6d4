import type { CheckContext } from '../context.ts';
import { notTested, type Probe, type Verdict } from '../probe.ts';
import { goodTokenWorks } from './good.ts';
import type { TokenName } from './token-set.ts';
import { allRefused } from './trial.ts';

/** The verdict on one token of the person that must be refused, as long as a good one is taken: else everything would pass. */
export async function mustRefuse(context: CheckContext, name: TokenName, what: string): Promise<Verdict> {
  const token = context.tokens.tokens[name];
  if (token === undefined)
    return notTested(
      context.tokens.unavailable?.[name] ?? 'no such token is at hand',
      `--lab, or --tokens FILE with "${name}"`,
    );
  const good = await context.once(goodTokenWorks);
  if (good !== true) return good;
  return allRefused(context, [{ what, token }]);
}

export const tokenRemedy: Probe['remedy'] = {
  words:
    'Check signature, issuer, audience, expiry and type of every token with a library, all of them required.',
  express:
    'jwtVerify(token, keys, { issuer, audience, algorithms, requiredClaims: ["exp", "sub"], typ: "at+jwt" }).',
  fastmcp: 'JWTVerifier(jwks_uri=…, issuer=…, audience="https://mcp.example.com/mcp").',
  sdk: 'The SDK checks expiry alone: verifyAccessToken must check issuer and audience.',
  portcullis: 'auth.issuers: [{ issuer: …, audience: [https://mcp.example.com/mcp] }].',
};
