import { type Opening, openings } from '../discovery/openings.ts';
import { fail, notTested, type Probe, type Problem, pass } from '../probe.ts';

export const openEndpoint: Probe = {
  id: 'A01',
  title: 'Strangers are not served',
  severity: 'critical',
  mode: 'none',
  reference: 'MCP 2026-07-28 authorization, “Token Requirements”; OWASP MCP07',
  guideItems: [1, 3],
  why: 'Whoever reaches the address can list the tools and call them, and whoever steers an agent can make it do so.',
  remedy: {
    words:
      'Ask for a bearer token before the message is looked at. If the server is public on purpose, check it with --expect-public.',
    express:
      'app.all("/mcp", requireBearerAuth({ verifier, resourceMetadataUrl }), handler): before the handler, for every method.',
    fastmcp: 'FastMCP(auth=RemoteAuthProvider(...)), or authenticate in the options of the TypeScript one.',
    sdk: 'requireBearerAuth from the SDK, in front of the transport.',
    gateway: 'Let the gateway refuse requests without a token itself instead of passing them on.',
    portcullis: 'portcullis protect URL: no request passes without a token.',
  },
  async run(context) {
    const all = await context.once(openings);
    const evidence = all.filter(({ open }) => open).map(({ exchange }) => exchange);
    if (all.every(({ exchange }) => exchange.status === 0)) return notTested('the server does not answer');
    if (evidence.length === 0)
      return pass(`${all.length} kinds of request without a token were refused`, first(all));
    if (context.expectPublic) return pass('open, on purpose', evidence);
    return fail(problemsOf(all), evidence);
  },
};

function problemsOf(all: readonly Opening[]): Problem[] {
  const methods = [...new Set(all.filter(({ open }) => open).map(({ request }) => request.method))];
  const calls = methods.includes('tools/call');
  const lists = methods.some((method) => method.endsWith('/list'));
  const severity = calls ? 'critical' : lists ? 'high' : 'medium';
  const what = calls
    ? 'anyone on the network can call tools'
    : lists
      ? 'anyone on the network can see what it offers, though not call it'
      : 'it greets anyone before it asks for a token';
  return [{ text: `${what}: ${methods.join(', ')} answered without a token`, severity }];
}

function first(all: readonly Opening[]) {
  return all.slice(0, 1).map(({ exchange }) => exchange);
}
