import { bearerOf } from '../discovery/challenge.ts';
import { discover } from '../discovery/discovery.ts';
import { openings } from '../discovery/openings.ts';
import { quoted } from '../evidence.ts';
import { headerOf } from '../exchange.ts';
import { fail, notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

export const challenge: Probe = {
  id: 'A03',
  title: 'A 401 says where to sign in',
  severity: 'high',
  mode: 'none',
  reference: 'RFC 9728 section 5.1; RFC 6750 section 3',
  guideItems: [3],
  why: 'Without the challenge a client cannot find the authorization server, and people fall back to static keys.',
  remedy: {
    words:
      'Send with every 401: WWW-Authenticate: Bearer resource_metadata="https://HOST/.well-known/oauth-protected-resource/PATH".',
    express:
      'requireBearerAuth({ verifier, resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(mcpUrl) }).',
    fastmcp: 'Set base_url of the auth provider to the public URL: the header is made from it.',
    sdk: 'Pass resourceMetadataUrl to requireBearerAuth: it is left out of the header otherwise.',
    gateway: 'Answer the 401 at the gateway; many gateways send a bare one.',
    portcullis: 'Sent with every 401 and 403.',
  },
  async run(context) {
    const all = await context.once(openings);
    if (all.every(({ open }) => open)) return notTested('nothing here is answered with 401, see A01');
    const { refused } = await context.once(discover);
    if (refused === null) {
      if (all.some(({ open }) => open)) return notTested('nothing here is answered with 401, see A01');
      const { exchange } = all[0] ?? {};
      if (exchange === undefined || exchange.status === 0) return notTested('the server does not answer');
      return fail(`a request without a token is answered with ${exchange.status}, not with 401`, [exchange]);
    }
    const without = all.filter(({ exchange }) => exchange.status === 401).map(({ exchange }) => exchange);
    const problems = without.flatMap((exchange) => problemsOf(headerOf(exchange, 'www-authenticate')));
    const unique = [...new Map(problems.map((one) => [one.text, one])).values()];
    return verdictOf(unique, `resource_metadata in ${without.length} of ${without.length} 401s`, [refused]);
  },
};

function problemsOf(header: string | null): Problem[] {
  if (header === null) return [{ text: 'the 401 has no WWW-Authenticate header' }];
  const parameters = bearerOf(header)?.parameters;
  if (parameters === undefined) return [{ text: `no Bearer challenge can be read from ${quoted(header)}` }];
  const url = parameters.get('resource_metadata');
  if (url === undefined) return [{ text: 'the challenge has no resource_metadata' }];
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    return [{ text: `resource_metadata is no absolute URL: ${quoted(url)}` }];
  return [];
}
