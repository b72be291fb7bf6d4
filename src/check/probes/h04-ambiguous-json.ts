import { type Exchange, isSuccess } from '../exchange.ts';
import { legacyRevision, type McpClient, rpcOf } from '../mcp.ts';
import type { Severity } from '../probe.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken, somebody } from '../somebody.ts';

export const ambiguousJson: Probe = {
  id: 'H04',
  title: 'A body that can be read two ways is not executed',
  severity: 'medium',
  mode: 'token',
  reference: 'RFC 8259 section 4; CVE-2026-27896; MCP 2025-06-18 (no batches); RFC 9112',
  guideItems: [],
  why: 'Two parsers read {"method":"tools/list","method":"tools/call"} differently: one decides, the other executes.',
  remedy: {
    words:
      'Refuse members that stand twice or differ by case, batch arrays, byte order marks, absurd depth, other content types and bodies over a bound; never with a 500.',
    express:
      'express.json({ limit: "1mb", strict: true }) bounds the size; duplicates need a parser that sees them.',
    sdk: 'Refuse arrays before the transport: it answers batches of the older era.',
    gateway: 'Parse strictly and forward the bytes that were parsed.',
    portcullis: 'One meaning for every parser, or 400; http.maxBodyBytes.',
  },
  async run(context) {
    const client = await context.once(somebody);
    if (client === null) return notTested('the server lets nobody in', needsToken);
    const tries: { one: Case; exchange: Exchange }[] = [];
    for (const one of casesOf(client)) {
      const more = { body: one.body, ...(one.headers && { headers: one.headers }) };
      tries.push({ one, exchange: await client.send('tools/list', {}, more) });
    }
    const bad = tries.filter(({ one, exchange }) => problemOf(one, exchange) !== null);
    const problems = bad
      .map(({ one, exchange }) => problemOf(one, exchange))
      .filter((found) => found !== null);
    const shown = (bad.length > 0 ? bad : tries.slice(0, 1)).map(({ exchange }) => exchange);
    return verdictOf(problems, `${tries.length} ambiguous bodies were refused`, shown);
  },
};

interface Case {
  readonly what: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly severity: Severity;
}

function casesOf({ era }: McpClient): Case[] {
  const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"portcullis-check","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`;
  const params = era === 'modern' ? `{${meta}}` : '{}';
  const good = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${params}}`;
  const begin = good.slice(0, -1);
  return [
    { what: 'a member twice: method', body: `{"method":"ping",${good.slice(1)}`, severity: 'medium' },
    { what: 'a member twice: params', body: `${begin},"params":${params}}`, severity: 'medium' },
    { what: 'a member in another case: Method', body: `${begin},"Method":"tools/call"}`, severity: 'medium' },
    {
      what: 'a batch',
      body: `[${good},${good}]`,
      severity: 'medium',
      ...(era === 'legacy' && { headers: { 'MCP-Protocol-Version': legacyRevision } }),
    },
    {
      what: 'a byte order mark',
      body: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(good)]),
      severity: 'low',
    },
    {
      what: 'nested 20,000 deep',
      body: `${begin.slice(0, -params.length)}{"x":${'['.repeat(20_000)}${']'.repeat(20_000)},${params.slice(1)}}`.replace(
        ',}',
        '}',
      ),
      severity: 'medium',
    },
    { what: 'text/plain', body: good, headers: { 'Content-Type': 'text/plain' }, severity: 'medium' },
    { what: '10 MB', body: `${begin},"x":"${'a'.repeat(10 * 1024 * 1024)}"}`, severity: 'medium' },
    {
      what: 'bytes that are no UTF-8',
      body: Buffer.concat([Buffer.from(`${begin},"x":"`), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
      severity: 'low',
    },
    { what: 'no JSON', body: '{"jsonrpc":', severity: 'medium' },
  ];
}

function problemOf({ what, severity }: Case, exchange: Exchange): Problem | null {
  if (exchange.status >= 500)
    return { text: `the server failed with ${exchange.status} on ${what}`, severity: 'medium' };
  const executed =
    isSuccess(exchange) &&
    (rpcOf(exchange)?.result !== undefined || exchange.body.trimStart().startsWith('['));
  return executed ? { text: `executed: ${what}`, severity } : null;
}
