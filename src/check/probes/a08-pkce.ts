import { serverMetadata } from '../discovery/discovery.ts';
import { stringsOf } from '../exchange.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

export const pkce: Probe = {
  id: 'A08',
  title: 'PKCE with S256 is advertised',
  severity: 'high',
  mode: 'none',
  reference: 'MCP 2026-07-28 authorization, “Authorization Code Protection”; OAuth 2.1 section 7.5.2',
  guideItems: [1],
  why: 'A client that follows the specification refuses a server that does not say so; without PKCE a stolen code is a token.',
  remedy: {
    words:
      'Put "S256", and nothing weaker, into code_challenge_methods_supported. Where the identity provider does not publish it (Entra ID), put a facade in front that does.',
    sdk: 'code_challenge_methods_supported: ["S256"] in oauthMetadata.',
    portcullis: 'auth.embedded: advertised and required.',
  },
  async run(context) {
    const document = await context.once(serverMetadata);
    if (document === null) return notTested('there is no authorization server metadata, see A07');
    const methods = stringsOf(document['code_challenge_methods_supported']);
    if (!methods.includes('S256')) return fail('code_challenge_methods_supported does not have S256');
    if (methods.includes('plain'))
      return fail({ text: 'code_challenge_methods_supported has plain beside S256', severity: 'medium' });
    return pass('S256');
  },
};
