import { guarded, openings } from '../discovery/openings.ts';
import { isSuccess } from '../exchange.ts';
import { mcpAsk, rpcOf } from '../mcp.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

/** What proxies and sidecars tell each other. From outside, each is a claim by anybody. */
const claims: Readonly<Record<string, string>> = {
  'X-Forwarded-For': '127.0.0.1',
  'X-Real-IP': '127.0.0.1',
  'X-Forwarded-User': 'admin',
  'X-Forwarded-Email': 'admin@localhost',
  'X-Authenticated-User': 'admin',
  'X-Auth-Request-User': 'admin',
  'X-Remote-User': 'admin',
  'X-User-Id': '1',
  'X-Internal': 'true',
  'X-Internal-Request': 'true',
  'X-Original-URL': '/healthz',
  'X-Rewrite-URL': '/healthz',
  'Mcp-Init-Host': 'localhost',
  'X-Mcp-Authorized': 'true',
  'X-API-Key': 'test',
};

export const internalHeaders: Probe = {
  id: 'A16',
  title: 'Headers of inner proxies open nothing from outside',
  severity: 'critical',
  mode: 'none',
  reference: 'GHSA-g53w-w6mj-hrpp (Kuadrant mcp-gateway); CWE-290',
  guideItems: [1],
  why: 'A header that an inner proxy sets to say who calls is, from outside, something that anybody can write.',
  remedy: {
    words:
      'Strip such headers at the edge and believe them from known addresses alone; better, verify the token where it is used.',
    express: 'app.set("trust proxy", [the addresses]), never true; do not read a user from a header.',
    gateway: 'Drop incoming X-Forwarded-User and its kin before setting your own.',
    portcullis: 'trustedProxies: [10.0.0.5/32]; who calls is read from the token alone.',
  },
  async run(context) {
    const request = await context.once(guarded);
    if (request === null) return notTested('nothing here asks for a token, see A01');
    const before = (await context.once(openings)).find((one) => one.request === request)?.exchange;
    const all = await context.door.ask(mcpAsk({ ...request, headers: claims }));
    if (!isSuccess(all) || rpcOf(all) === null)
      return pass(`${Object.keys(claims).length} headers changed nothing`);
    for (const [name, value] of Object.entries(claims)) {
      const exchange = await context.door.ask(mcpAsk({ ...request, headers: { [name]: value } }));
      if (isSuccess(exchange)) return fail(`${name}: ${value} lets a stranger in`, [exchange]);
    }
    return fail('internal headers together let a stranger in', before ? [before, all] : [all]);
  },
};
