import { authorizationRequest, needsClient } from '../discovery/authorization-request.ts';
import { type Exchange, headerOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

export const redirectUri: Probe = {
  id: 'A13',
  title: 'Codes go to the registered address alone',
  severity: 'critical',
  mode: 'tokens',
  reference: 'OAuth 2.1 section 2.3; RFC 9700 section 4.1; MCP 2026-07-28 security considerations',
  guideItems: [1],
  why: 'A link with the attacker’s address in it brings the code, and with it the account, to the attacker.',
  remedy: {
    words:
      'Compare redirect_uri with the registered ones as strings (the port of a loopback address aside), and show an error instead of redirecting when none fits.',
    portcullis: 'Exact comparison; what does not fit is told on a page and never redirected.',
  },
  async run(context) {
    const begin = await context.once(authorizationRequest);
    if (begin === null) return notTested('a registered client is needed', needsClient);
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    for (const [what, uri] of tampered(begin.redirectUri)) {
      const exchange = await begin.ask({ redirect_uri: uri });
      if (exchange.status === 0) return notTested('the authorization server does not answer');
      const location = headerOf(exchange, 'location') ?? '';
      const leads = location.startsWith(uri.split('#')[0] ?? uri) || location.includes('evil.example');
      const goesOn = exchange.status < 400 && !/[?&#]error=/.test(location);
      if (!leads && !goesOn) continue;
      problems.push({ text: leads ? `redirected to ${what}` : `the sign-in goes on with ${what}` });
      evidence.push(exchange);
    }
    return verdictOf(problems, 'every other address is refused without a redirect', evidence);
  },
};

function tampered(registered: string): (readonly [string, string])[] {
  const url = new URL(registered);
  return [
    ['another host', 'https://evil.example/callback'],
    ['a longer host', `https://${url.hostname}.evil.example/callback`],
    ['another path', `${url.origin}${url.pathname}/../evil`],
    ['a longer path', `${registered}/evil`],
    ['a host before an @', `${url.protocol}//${url.hostname}@evil.example${url.pathname}`],
    ['script', 'javascript:alert(1)'],
  ];
}
