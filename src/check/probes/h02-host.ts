import type { CheckContext } from '../context.ts';
import { discover } from '../discovery/discovery.ts';
import { openings } from '../discovery/openings.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { type Probe, type Problem, verdictOf } from '../probe.ts';

const evil = 'portcullis-check.evil.example';

export const host: Probe = {
  id: 'H02',
  title: 'The Host header is neither believed nor repeated',
  severity: 'high',
  mode: 'none',
  reference: 'CVE-2025-66414, CVE-2025-66416, CVE-2026-34742, CVE-2026-48710; RFC 9110 section 7.2',
  guideItems: [2],
  why: 'A name that an attacker points at this machine passes as its own (DNS rebinding), and metadata made from the header sends people to the attacker’s sign-in page.',
  remedy: {
    words:
      'Accept only the names that the server has; make every URL from configuration, never from Host or X-Forwarded-*.',
    express:
      'hostHeaderValidation(["mcp.example.com"]) first; app.set("trust proxy") with addresses, not true.',
    fastmcp: 'Starlette’s TrustedHostMiddleware(allowed_hosts=[…]); base_url set.',
    sdk: 'createMcpExpressApp({ allowedHosts: […] }); 1.x: allowedHosts and enableDnsRebindingProtection.',
    portcullis: 'publicUrl names the host: others get 403, and no URL is made from a header.',
  },
  async run(context) {
    const request = (await context.once(openings))[0]?.request ?? {
      method: 'tools/list',
      era: 'modern' as const,
    };
    const { atPath, atRoot } = await context.once(discover);
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    const look = (exchange: Exchange, how: string): void => {
      if (!echoes(exchange)) return;
      problems.push({ text: `${how} ends up in what the server answers` });
      evidence.push(exchange);
    };
    const direct = await context.door.ask(mcpAsk({ ...request, headers: { Host: evil } }));
    look(direct, 'a strange Host');
    if (context.isPrivate && (isSuccess(direct) || direct.status === 401)) {
      problems.push({
        text: `a strange Host is answered with ${direct.status}`,
        severity: isSuccess(direct) ? 'high' : 'medium',
      });
      evidence.push(direct);
    }
    for (const [name, value] of forwarded) {
      look(await context.door.ask(mcpAsk({ ...request, headers: { [name]: value } })), name);
      const document = [atPath, atRoot].find((one) => one.document !== null);
      if (document) look(await getWith(context, document.url, [name, value]), `${name} on the metadata`);
    }
    return verdictOf(problems, `a strange Host gets ${direct.status}; nothing is repeated`, [
      direct,
      ...evidence,
    ]);
  },
};

const forwarded: readonly (readonly [string, string])[] = [
  ['X-Forwarded-Host', evil],
  ['Forwarded', `host=${evil};proto=https`],
  ['X-Original-Host', evil],
];

function getWith(context: CheckContext, url: string, header: readonly [string, string]): Promise<Exchange> {
  return context.door.ask({ url, method: 'GET', headers: [header] });
}

function echoes(exchange: Exchange): boolean {
  const text = `${headerOf(exchange, 'www-authenticate') ?? ''} ${headerOf(exchange, 'location') ?? ''}`;
  return text.includes(evil) || exchange.body.includes(evil);
}
