import { answerIsRefusal, authorizationRequest, needsClient } from '../discovery/authorization-request.ts';
import type { Exchange } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

export const pkceEnforced: Probe = {
  id: 'A12',
  title: 'A sign-in without PKCE is refused',
  severity: 'high',
  mode: 'tokens',
  reference: 'OAuth 2.1 section 4.1.1; RFC 9700 section 2.1.1',
  guideItems: [1],
  why: 'What is advertised but not enforced protects nobody: an attacker leaves the challenge out.',
  remedy: {
    words: 'Refuse an authorization request without code_challenge, and with the method plain.',
    portcullis: 'auth.embedded requires S256 of every client.',
  },
  async run(context) {
    const begin = await context.once(authorizationRequest);
    if (begin === null) return notTested('a registered client is needed', needsClient);
    const cases = [
      ['without code_challenge', { code_challenge: null, code_challenge_method: null }],
      ['with the method plain', { code_challenge_method: 'plain' }],
    ] as const;
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    for (const [what, change] of cases) {
      const exchange = await begin.ask(change);
      evidence.push(exchange);
      if (exchange.status === 0) return notTested('the authorization server does not answer');
      if (!answerIsRefusal(exchange)) problems.push({ text: `the sign-in goes on ${what}` });
    }
    return verdictOf(problems, 'refused without a challenge, and with plain', evidence);
  },
};
