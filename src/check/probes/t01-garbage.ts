import { bearerOf } from '../discovery/challenge.ts';
import { guarded } from '../discovery/openings.ts';
import { type Exchange, headerOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { forged } from '../tokens/forge.ts';
import { type Reception, tryToken } from '../tokens/trial.ts';

const words = ['portcullis-check', 'null', 'undefined', 'a.b.c', 'test', 'Bearer'];

export const garbage: Probe = {
  id: 'T01',
  title: 'A word that is no token is refused with 401',
  severity: 'critical',
  mode: 'none',
  reference: 'RFC 6750 section 3.1; MCP 2026-07-28 authorization, “Error Handling”; CVE-2026-12773',
  guideItems: [3, 5, 12],
  why: 'If any word opens the door, so does nothing at all. And a client that is told 403 or 500 instead of 401 never signs in again.',
  remedy: {
    words:
      'Verify every token, and answer 401 with error="invalid_token" and the challenge when that fails, for whatever reason.',
    express: 'verifyAccessToken must throw InvalidTokenError: other errors become 500.',
    fastmcp: 'Use JWTVerifier or IntrospectionTokenVerifier, not StaticTokenVerifier.',
    sdk: 'throw new InvalidTokenError("…") from verifyAccessToken.',
    gateway: 'Do not fall back to default credentials when verification fails.',
    portcullis: 'Every token is verified; every failure is the same 401.',
  },
  async run(context) {
    const request = await context.once(guarded);
    if (request === null) return notTested('nothing here asks for a token, see A01');
    const received: { word: string; reception: Reception }[] = [];
    for (const word of words)
      received.push({ word, reception: await tryToken(context, forged(word), request) });
    const problems = received.flatMap(({ word, reception }) => problemsOf(word, reception));
    const wrong = received.filter(({ word, reception }) => problemsOf(word, reception).length > 0);
    const shown = (wrong.length > 0 ? wrong : received).map(({ reception }) => reception.exchange);
    return verdictOf(unique(problems), `${words.length} words were refused with 401`, shown.slice(0, 2));
  },
};

function problemsOf(word: string, { kind, exchange }: Reception): Problem[] {
  if (kind === 'accepted') return [{ text: `“${word}” is accepted as a token` }];
  if (exchange.status === 0) return [];
  if (exchange.status !== 401)
    return [{ text: `a bad token is answered with ${exchange.status}, not with 401`, severity: 'medium' }];
  return challengeOf(exchange);
}

function challengeOf(exchange: Exchange): Problem[] {
  const parameters = bearerOf(headerOf(exchange, 'www-authenticate'))?.parameters;
  if (parameters === undefined)
    return [{ text: 'the 401 for a bad token has no Bearer challenge', severity: 'medium' }];
  const missing = [
    ...(parameters.get('error') === 'invalid_token' ? [] : ['error="invalid_token"']),
    ...(parameters.has('resource_metadata') ? [] : ['resource_metadata']),
  ];
  if (missing.length === 0) return [];
  return [{ text: `the 401 for a bad token lacks ${missing.join(' and ')}`, severity: 'low' }];
}

function unique(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [one.text, one])).values()];
}
