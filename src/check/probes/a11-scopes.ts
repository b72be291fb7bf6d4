import { discover } from '../discovery/discovery.ts';
import { quoted } from '../evidence.ts';
import { stringsOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';

/** More scopes than that are a catalogue, and a client asks for all of them. */
const mostScopes = 12;

export const advertisedScopes: Probe = {
  id: 'A11',
  title: 'Strangers are told few scopes',
  severity: 'low',
  mode: 'none',
  reference: 'MCP 2026-07-28 authorization, “Refresh Tokens”; Security Best Practices, “Scope Minimization”',
  guideItems: [6],
  why: 'Many clients ask for every scope they are told of, and people then allow all of them.',
  remedy: {
    words:
      'Advertise the smallest useful scopes; name the others in the 403 of the call that needs them. offline_access is not a scope of the resource.',
    express: 'scopesSupported of mcpAuthMetadataRouter: the reading scopes alone.',
    fastmcp: 'required_scopes with the reading scopes alone.',
    portcullis: 'auth.scopesAdvertised: minimal.',
  },
  async run(context) {
    const { resource, challenge } = await context.once(discover);
    if (resource === null && challenge === null)
      return notTested('no scopes are advertised, see A03 and A05');
    const published = stringsOf(resource?.document?.['scopes_supported']);
    const asked = (challenge?.parameters.get('scope') ?? '').split(' ').filter(Boolean);
    const all = [...new Set([...published, ...asked])];
    const evidence = resource ? [resource.exchange] : [];
    return verdictOf(problemsOf(all), all.length === 0 ? 'none' : all.join(' '), evidence);
  },
};

function problemsOf(scopes: readonly string[]): Problem[] {
  const wide = scopes.filter((scope) => /(^|[:./_-])(\*|all|full[-_]?access|root|superuser)$/i.test(scope));
  return [
    ...(scopes.includes('offline_access')
      ? [{ text: 'offline_access is advertised as a scope of the resource' }]
      : []),
    ...wide.map((scope) => ({ text: `${quoted(scope)} stands for everything` })),
    ...(scopes.length > mostScopes ? [{ text: `${scopes.length} scopes are advertised at once` }] : []),
  ];
}
