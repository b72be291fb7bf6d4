import { discover } from '../discovery/discovery.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

export const challengeScope: Probe = {
  id: 'A04',
  title: 'A 401 names the scope to ask for',
  severity: 'low',
  mode: 'none',
  reference: 'MCP 2026-07-28 authorization, “Scope Selection Strategy”; RFC 6750 section 3',
  guideItems: [],
  why: 'A client that is not told asks for every scope it finds, or for none.',
  remedy: {
    words: 'Add scope="…" with the smallest useful scope to the challenge of the 401.',
    express: 'requireBearerAuth({ …, requiredScopes: ["mcp:tools:read"] }).',
    fastmcp: 'required_scopes=["mcp:tools:read"] of the token verifier.',
    sdk: 'requiredScopes of requireBearerAuth.',
    portcullis: 'Sent with every 401; auth.scopesAdvertised says how much.',
  },
  async run(context) {
    const { challenge, refused } = await context.once(discover);
    if (challenge === null || refused === null) return notTested('there is no challenge to read, see A03');
    const scope = challenge.parameters.get('scope')?.trim();
    return scope ? pass(`scope="${scope}"`, [refused]) : fail('the challenge names no scope', [refused]);
  },
};
