import { register, registeredClient, unregister } from '../discovery/authorization-request.ts';
import type { Exchange } from '../exchange.ts';
import { documentOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, pass, verdictOf } from '../probe.ts';

export const registrationContent: Probe = {
  id: 'A14',
  title: 'Registration takes no dangerous client',
  severity: 'high',
  mode: 'writes',
  reference: 'RFC 7591 section 5; RFC 9700 section 4.1; arXiv 2605.22333',
  guideItems: [1],
  why: 'Registration is open to anybody: what it takes, attackers have.',
  remedy: {
    words:
      'Take https and loopback redirect addresses alone, without fragments; bound names and lists; grant no scope at registration; drop unused clients.',
    portcullis: 'auth.embedded.clients: redirect policy and bounds are built in; unusedDays: 7.',
  },
  async run(context) {
    if (!context.allowed.register) return notTested('it would write to the server', '--allow-register');
    const plain = await context.once(registeredClient);
    if (plain === null) {
      const { exchange } = await register(context, {});
      if (exchange === null) return pass('there is no registration endpoint');
      return pass(`registration is not open to anybody (${exchange.status})`, [exchange]);
    }
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    for (const { what, change, severity, taken } of cases) {
      const { exchange, client } = await register(context, change);
      if (exchange === null || client === null) {
        if (exchange !== null && exchange.status >= 500)
          problems.push({
            text: `registration failed with ${exchange.status} on ${what}`,
            severity: 'medium',
          });
        continue;
      }
      await unregister(context, client);
      if (taken !== undefined && !taken(exchange)) continue;
      problems.push({ text: `registration takes ${what}`, severity });
      evidence.push(exchange);
    }
    return verdictOf(problems, `${cases.length} dangerous clients were refused, or cut down`, evidence);
  },
};

interface Case {
  readonly what: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly severity: 'high' | 'medium';
  /** Where a client may come back without what was asked for: whether it is still there. */
  readonly taken?: (exchange: Exchange) => boolean;
}

const redirect = (uri: string) => ({ redirect_uris: [uri] });

const cases: readonly Case[] = [
  { what: 'a javascript: address', change: redirect('javascript:alert(1)//'), severity: 'high' },
  { what: 'a data: address', change: redirect('data:text/html,x'), severity: 'high' },
  {
    what: 'a plain http address elsewhere',
    change: redirect('http://evil.example/callback'),
    severity: 'high',
  },
  {
    what: 'an address with a fragment',
    change: redirect('https://client.example/callback#x'),
    severity: 'medium',
  },
  { what: 'an address with a wildcard', change: redirect('https://*.example/callback'), severity: 'high' },
  {
    what: 'an address with credentials in it',
    change: redirect('https://a:b@client.example/callback'),
    severity: 'medium',
  },
  {
    what: '1,000 addresses',
    change: { redirect_uris: Array.from({ length: 1000 }, (_, at) => `https://client.example/${at}`) },
    severity: 'medium',
  },
  { what: 'a name of 1 MB', change: { client_name: 'x'.repeat(1024 * 1024) }, severity: 'medium' },
  {
    what: 'scope=admin as granted',
    change: { scope: 'admin mcp:tools:admin root *' },
    severity: 'high',
    taken: (exchange) =>
      /\badmin\b(?!:)|\*/.test(String(documentOf(exchange)?.['scope'] ?? '').replace('mcp:tools:admin', '')),
  },
];
