import { type AuthorizationServer, discover } from '../discovery/discovery.ts';
import { quoted } from '../evidence.ts';
import { stringsOf } from '../exchange.ts';
import { fail, notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

export const issuer: Probe = {
  id: 'A07',
  title: 'The authorization server answers and names itself',
  severity: 'high',
  mode: 'none',
  reference: 'RFC 8414 section 3.3; MCP 2026-07-28 authorization server discovery',
  guideItems: [1],
  why: 'A client must not use metadata whose issuer differs: that is how one server is passed off as another.',
  remedy: {
    words:
      'List the issuer in authorization_servers exactly as its own metadata writes it, the slash at the end included, and make that metadata reachable.',
    sdk: 'oauthMetadata.issuer and the issuer of the tokens must be one string.',
    portcullis: 'auth.issuers[].issuer is checked against the issuer’s own metadata.',
  },
  async run(context) {
    const { resource, servers } = await context.once(discover);
    if (resource === null) return notTested('there is no resource metadata, see A05');
    const named = stringsOf(resource.document?.['authorization_servers']);
    if (servers.length === 0 && named.length > 0)
      return notTested('only the issuer of the lab is named', 'a run without --lab');
    if (servers.length === 0) return fail('authorization_servers is empty or missing', [resource.exchange]);
    const problems = servers.flatMap(problemsOf);
    const evidence = servers.flatMap((one) => one.metadata?.exchange ?? one.tried.slice(-1));
    return verdictOf(problems, servers.map((one) => one.issuer).join(', '), evidence);
  },
};

function problemsOf({ issuer: named, metadata, tried }: AuthorizationServer): Problem[] {
  if (metadata === null) {
    const why = tried.find(({ failure }) => failure !== null)?.failure;
    return [{ text: `no metadata of ${quoted(named)} is found${why ? ` (${why})` : ''}` }];
  }
  const own = metadata.document?.['issuer'];
  return own === named
    ? []
    : [{ text: `the metadata of ${quoted(named)} says that it is ${quoted(own ?? 'nobody')}` }];
}
