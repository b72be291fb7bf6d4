import type { Gateway, StartFailure } from '../gateway/index.ts';
import { faint, type Output, strong } from './output.ts';
import { shellQuote } from './shell-quote.ts';

export interface ReadyContext {
  readonly output: Output;
  readonly json: boolean;
  readonly self: string;
  readonly dataDir: string;
}

/** Says that the gateway takes calls, and what to do next. With `json`: exactly one line. */
export function announce(
  gateway: Gateway,
  failures: readonly StartFailure[],
  { output, json, self, dataDir }: ReadyContext,
): void {
  const { servers, issuer, console, setup, auditFile } = gateway;
  if (json) {
    output.json({ ready: true, servers, issuer, console, setup, audit: auditFile });
    return;
  }
  for (const warning of gateway.warnings) output.note(`warning: ${warning}`);
  for (const { server, detail } of failures) {
    output.note(`warning: ${server} does not answer yet (${detail}): calls to it get 502 until it does`);
  }
  output.line('Portcullis protects ', strong(servers.map(({ name }) => name).join(', ')), '.');
  if (setup) {
    output.line();
    output.line('First, set the password of the administrator. The link works once:');
    output.line('  ', strong(setup));
  }
  for (const server of servers) announceServer(server, { output, lead: setup ? 'Then connect' : 'Connect' });
  output.line();
  if (console) output.line(`Console    ${console}`);
  output.line(`Audit log  ${auditFile}`);
  output.line('           ', faint(`${self} audit tail --follow --data ${shellQuote(dataDir)}`));
  output.line();
  output.line('Stop with Ctrl+C.');
}

function announceServer(
  { name, url }: Gateway['servers'][number],
  { output, lead }: { output: Output; lead: string },
): void {
  const code = JSON.stringify({ name, type: 'http', url });
  output.line();
  output.line(`${lead} a client to `, strong(url));
  output.line(`  Claude Code  claude mcp add --transport http ${shellQuote(name)} ${shellQuote(url)}`);
  output.line(`  VS Code      code --add-mcp ${shellQuote(code)}`);
  output.line(
    `  Inspector    npx @modelcontextprotocol/inspector --server-url ${shellQuote(url)} --transport http`,
  );
}
