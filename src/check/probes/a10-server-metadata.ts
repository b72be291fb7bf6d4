import { discover, serverMetadata } from '../discovery/discovery.ts';
import { quoted } from '../evidence.ts';
import { stringsOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

export const serverMetadataContent: Probe = {
  id: 'A10',
  title: 'The authorization server offers nothing obsolete',
  severity: 'medium',
  mode: 'none',
  reference: 'RFC 9207; RFC 9700 sections 2.1 and 2.4; CVE-2025-6514',
  guideItems: [1],
  why: 'Implicit and password grants leak tokens; a wrong scheme in an endpoint has run commands on clients’ machines; without iss, answers of two servers can be mixed up.',
  remedy: {
    words:
      'Leave out the response type token and the grants implicit and password, use https endpoints, and send iss with authorization_response_iss_parameter_supported.',
    portcullis: 'auth.embedded offers code, refresh and what machines need.',
  },
  async run(context) {
    const document = await context.once(serverMetadata);
    if (document === null) return notTested('there is no authorization server metadata, see A07');
    const problems = [...endpointsOf(document, context.isPrivate), ...offersOf(document)];
    const { servers } = await context.once(discover);
    const evidence = servers.flatMap(({ metadata }) => (metadata ? [metadata.exchange] : [])).slice(0, 1);
    return verdictOf(problems, 'https endpoints, code alone, iss in answers', evidence);
  },
};

function endpointsOf(document: Readonly<Record<string, unknown>>, isPrivate: boolean): Problem[] {
  const problems: Problem[] = [];
  for (const name of [
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'jwks_uri',
    'revocation_endpoint',
  ]) {
    const value = document[name];
    if (value === undefined) continue;
    const scheme = typeof value === 'string' ? URL.parse(value)?.protocol : undefined;
    if (scheme === 'https:' || (scheme === 'http:' && isPrivate)) continue;
    problems.push({ text: `${name} is not an https URL: ${quoted(value)}`, severity: 'high' });
  }
  if (typeof document['token_endpoint'] !== 'string') problems.push({ text: 'there is no token_endpoint' });
  return problems;
}

function offersOf(document: Readonly<Record<string, unknown>>): Problem[] {
  const types = stringsOf(document['response_types_supported']);
  const grants = stringsOf(document['grant_types_supported']);
  const tokens = types.filter((type) => type.split(' ').includes('token'));
  const old = grants.filter((grant) => grant === 'password' || grant === 'implicit');
  return [
    ...(document['authorization_response_iss_parameter_supported'] === true
      ? []
      : [{ text: 'authorization_response_iss_parameter_supported is not set', severity: 'low' as const }]),
    ...(tokens.length === 0 ? [] : [{ text: `response types hand out tokens: ${tokens.join(', ')}` }]),
    ...(old.length === 0 ? [] : [{ text: `obsolete grants are offered: ${old.join(', ')}` }]),
  ];
}
