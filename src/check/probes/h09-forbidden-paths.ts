import { type Exchange, headerOf } from '../exchange.ts';
import type { Severity } from '../probe.ts';
import { type Probe, type Problem, verdictOf } from '../probe.ts';

export const forbiddenPaths: Probe = {
  id: 'H09',
  title: 'Inner pages are not public',
  severity: 'high',
  mode: 'none',
  reference: 'CVE-2025-49596; CVE-2026-42271; CVE-2026-33032; CWE-552',
  guideItems: [9, 10],
  why: 'Metrics, consoles, configuration and test pages on the same port have no token check of their own, and some of them start processes.',
  remedy: {
    words:
      'Serve them on another port that only operators reach, or behind the same check; take test endpoints out.',
    fastmcp: 'No debug=True; docs_url=None where it is mounted in FastAPI.',
    gateway: 'Route the MCP paths and the well-known ones, and nothing else.',
    portcullis: 'Only the MCP paths, metadata, sign-in and health checks are routed.',
  },
  async run({ door, target }) {
    const problems: Problem[] = [];
    const evidence: Exchange[] = [];
    // A site that answers everything alike has none of these pages.
    const nothing = await door.ask({ method: 'GET', path: '/portcullis-check-nothing-here' });
    for (const [path, looks, severity] of pages) {
      const exchange = await door.ask({ method: 'GET', path, maxBytes: 64 * 1024, bodyMs: 2000 });
      if (exchange.status !== 200 || exchange.body === nothing.body || !looks(exchange)) continue;
      problems.push({ text: `${path} is open to anybody`, severity });
      evidence.push(exchange);
    }
    return verdictOf(problems, `${pages.length} paths at ${target.origin} show nothing`, evidence);
  },
};

type Look = (exchange: Exchange) => boolean;
const body =
  (pattern: RegExp): Look =>
  (exchange) =>
    pattern.test(exchange.body);
const json: Look = (exchange) => (headerOf(exchange, 'content-type') ?? '').includes('json');

const pages: readonly (readonly [string, Look, Severity])[] = [
  ['/metrics', body(/^# (HELP|TYPE) /m), 'medium'],
  ['/debug', body(/\S/), 'high'],
  ['/debug/pprof/', body(/goroutine|heap/), 'high'],
  ['/debug/vars', json, 'high'],
  ['/admin', body(/\S/), 'high'],
  ['/console', body(/\S/), 'high'],
  ['/config', body(/\S/), 'high'],
  ['/env', json, 'high'],
  ['/actuator', json, 'high'],
  ['/openapi.json', body(/"openapi"/), 'medium'],
  ['/docs', body(/swagger|redoc/i), 'medium'],
  ['/.env', body(/^[A-Z_]+=/m), 'high'],
  ['/.git/config', body(/\[core\]/), 'high'],
  ['/inspector', body(/\S/), 'high'],
  ['/mcp-rest/test/connection', body(/\S/), 'high'],
  ['/mcp-rest/test/tools/list', body(/\S/), 'high'],
];
