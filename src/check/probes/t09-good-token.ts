import { isRecord, jsonOf } from '../exchange.ts';
import { fail, notTested, type Probe, type Problem, pass } from '../probe.ts';
import { needsToken } from '../somebody.ts';

const longestSeconds = 60 * 60;

export const goodToken: Probe = {
  id: 'T09',
  title: 'A good token is short-lived and meant for one server',
  severity: 'medium',
  mode: 'token',
  reference: 'RFC 9068 section 2.2; RFC 8707; RFC 9700 section 2.2',
  guideItems: [4],
  why: 'What a stolen token opens, and for how long, is decided when it is made.',
  remedy: {
    words:
      'Let the issuer make tokens of ten to sixty minutes with the MCP URL as their only audience, a jti, and an asymmetric signature. An issuer that ignores resource needs one audience for each server instead.',
    portcullis: 'auth.embedded: accessTokenMinutes: 15, one audience, jti, ES256.',
  },
  async run(context) {
    const { good } = context.tokens.tokens;
    if (good === undefined) return notTested('there is no good token', needsToken);
    const [header, claims] = good.secret
      .reveal()
      .split('.')
      .map((part) => jsonOf(Buffer.from(part, 'base64url').toString()));
    if (!isRecord(header) || !isRecord(claims)) return pass('the token is opaque: nothing in it to read');
    const problems = [
      ...lifeOf(claims),
      ...audienceOf(claims, context.target.href),
      ...formOf(header, claims),
    ];
    return problems.length === 0 ? pass('short-lived, one audience, jti, asymmetric') : fail(problems);
  },
};

function lifeOf({ iat, exp, nbf }: Readonly<Record<string, unknown>>): Problem[] {
  if (typeof exp !== 'number') return [{ text: 'it never expires', severity: 'high' }];
  const from = [iat, nbf].find((one) => typeof one === 'number');
  if (typeof from !== 'number') return [{ text: 'it does not say when it was made', severity: 'low' }];
  const minutes = Math.round((exp - from) / 60);
  return exp - from > longestSeconds ? [{ text: `it lives for ${minutes} minutes` }] : [];
}

function audienceOf({ aud }: Readonly<Record<string, unknown>>, target: string): Problem[] {
  const audiences = [aud].flat().filter((one) => typeof one === 'string');
  if (audiences.length === 0) return [{ text: 'it has no audience', severity: 'high' }];
  if (audiences.length > 1) return [{ text: `it is meant for ${audiences.length} audiences at once` }];
  if (audiences[0] === target) return [];
  const text =
    'its audience is not the URL of the server: the issuer ignores resource, or maps it to a name of its own';
  return [{ text, severity: 'info' }];
}

function formOf(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): Problem[] {
  const scopes = typeof claims['scope'] === 'string' ? claims['scope'].split(' ') : [];
  const wide = scopes.filter((scope) => /(^|[:./_-])(\*|all|full[-_]?access)$/i.test(scope));
  return [
    ...(String(header['alg']).startsWith('HS')
      ? [{ text: 'it is signed with a shared secret: whoever verifies it can make others' }]
      : []),
    ...(claims['jti'] === undefined
      ? [{ text: 'it has no jti: it cannot be told apart in a log', severity: 'low' as const }]
      : []),
    ...(wide.length > 0 ? [{ text: `a scope stands for everything: ${wide.join(' ')}` }] : []),
  ];
}
