import type { CheckContext } from '../context.ts';
import { openings } from '../discovery/openings.ts';
import type { Exchange } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { type Probe, type Problem, verdictOf } from '../probe.ts';
import { somebody } from '../somebody.ts';
import { forged } from '../tokens/forge.ts';

export const errorBodies: Probe = {
  id: 'H12',
  title: 'Errors tell nothing about the inside',
  severity: 'medium',
  mode: 'none',
  reference: 'OWASP MCP cheat sheet; CWE-209',
  guideItems: [9],
  why: 'Paths, stack traces, queries and tokens in errors are a map for the next attack, and end up in a model’s context.',
  remedy: {
    words: 'Answer errors with a sentence of your own; keep the cause in the log.',
    express: 'An error handler at the end, and NODE_ENV=production.',
    fastmcp: 'mask_error_details=True.',
    sdk: 'Catch in the handler: messages of thrown errors go to the client.',
    portcullis: 'Public messages are fixed sentences; the cause is in the audit log.',
  },
  async run(context) {
    const exchanges = await provoke(context);
    const found = exchanges.filter((one) => problemsOf(one).length > 0);
    const problems = found.flatMap(problemsOf);
    const unique = [...new Map(problems.map((one) => [one.text, one])).values()];
    return verdictOf(unique, `${exchanges.length} errors told nothing`, found);
  },
};

async function provoke(context: CheckContext): Promise<Exchange[]> {
  const client = await context.once(somebody);
  const exchanges = (await context.once(openings)).map(({ exchange }) => exchange);
  const odd = { name: 'portcullis\'check"<>', arguments: { path: '../../etc/passwd', query: "'" } };
  if (client) {
    exchanges.push(await client.send('tools/call', odd, { headers: { 'Mcp-Name': odd.name } }));
    exchanges.push(await client.send('tools/call', { name: 5, arguments: 7 }));
    exchanges.push(await client.send('resources/read', { uri: 'file:///portcullis/check' }));
    exchanges.push(await client.send('portcullis/check'));
    exchanges.push(await client.send('tools/list', {}, { body: '{"jsonrpc":' }));
  }
  exchanges.push(
    await context.door.ask(
      mcpAsk({ method: 'tools/list', era: 'modern', token: forged('eyJhbGciOiJSUzI1NiJ9.e30.AA') }),
    ),
  );
  exchanges.push(
    await context.door.ask(mcpAsk({ method: 'tools/list', era: 'modern', body: '{"jsonrpc":' })),
  );
  return exchanges;
}

/** Hostile bodies are made to keep patterns busy: both are bounded. */
const longestRead = 20_000;

const leaks: readonly (readonly [string, RegExp])[] = [
  [
    'a stack trace',
    /\bat [\w.<>$ ]{1,100} \((?:file:|node:|\/|[A-Z]:\\)[^)]{1,200}:\d+:\d+\)|Traceback \(most recent call last\)|\.go:\d+ \+0x|^\s+at [\w.$]+\([\w.]+\.java:\d+\)/m,
  ],
  [
    'a path of the machine',
    /(?:\/(?:home|root|usr|var|opt|srv|app|Users)\/[\w.-]+\/[\w./-]+\.\w+)|[A-Z]:\\\\?[\w\\]+\.\w+/,
  ],
  ['a query', /\b(?:SELECT .{1,200} FROM|INSERT INTO|syntax error at or near|SQLITE_ERROR|ORA-\d{5})\b/],
  ['a connection string', /\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|amqp):\/\/[^\s"']+/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
];

function problemsOf(exchange: Exchange): Problem[] {
  return leaks
    .filter(([, pattern]) => pattern.test(exchange.body.slice(0, longestRead)))
    .map(([what]) => ({ text: `an error shows ${what}` }));
}
