import { openings } from '../discovery/openings.ts';
import { quoted } from '../evidence.ts';
import { type Exchange, headerOf, isRecord } from '../exchange.ts';
import { rpcOf } from '../mcp.ts';
import { fail, type Probe, type Problem, pass } from '../probe.ts';
import { somebody } from '../somebody.ts';
import { isOlder, listDate, vulnerable } from '../vulnerable-versions.ts';

export const knownVulnerable: Probe = {
  id: 'H10',
  title: 'No version with a known hole is announced',
  severity: 'medium',
  mode: 'none',
  reference: 'The advisories that the finding names',
  guideItems: [],
  why: 'A banner saves an attacker the guessing.',
  remedy: {
    words: 'Update, and leave versions out of Server and X-Powered-By.',
    express: 'app.disable("x-powered-by").',
    portcullis: 'No banner; update the server behind.',
  },
  async run(context) {
    const client = await context.once(somebody);
    const first = (await context.once(openings))[0]?.exchange;
    const exchanges = [first, client?.greeting].filter((one) => one !== undefined);
    const names = exchanges.flatMap(bannersOf);
    const problems = names.flatMap(problemsOf);
    if (problems.length > 0) return fail(problems, exchanges);
    const seen = names.map(({ name, version }) => `${name} ${version}`).join(', ');
    return pass(`${seen === '' ? 'no version is announced' : quoted(seen)}; list of ${listDate}`);
  },
};

interface Banner {
  readonly name: string;
  readonly version: string;
}

function bannersOf(exchange: Exchange): Banner[] {
  const headers = [headerOf(exchange, 'server'), headerOf(exchange, 'x-powered-by')].flatMap((text) =>
    [...(text ?? '').slice(0, 500).matchAll(/([\w.@-]+)\/(\d[\w.-]*)/g)].map(
      ([, name = '', version = '']) => ({ name, version }),
    ),
  );
  const result = rpcOf(exchange)?.result;
  const meta = result?.['_meta'];
  const info =
    result?.['serverInfo'] ?? (isRecord(meta) ? meta['io.modelcontextprotocol/serverInfo'] : undefined);
  if (!isRecord(info) || typeof info['name'] !== 'string' || typeof info['version'] !== 'string')
    return headers;
  return [...headers, { name: info['name'], version: info['version'] }];
}

function problemsOf({ name, version }: Banner): Problem[] {
  return vulnerable
    .filter((one) => one.name.test(name) && isOlder(version, one.fixed))
    .map(({ fixed, advisory, severity }) => ({
      text: `${quoted(name)} ${quoted(version)} is older than ${fixed}: ${advisory}`,
      severity,
    }));
}
