import { neutralText } from '../base/index.ts';
import type { ToolFacts } from '../policy/index.ts';

export interface DraftServer {
  readonly name: string;
  readonly tools: readonly ToolFacts[];
}

/** MCP 2025-11-25 server/tools, "Tool Names". `*` and `?` would be globs here: a server could name a tool so. */
const plainName = /^[A-Za-z0-9_./-]{1,128}$/;

/**
 * A `tools:` section that names each tool of the servers. What they claim is untrusted: it becomes a comment and a choice among
 * scopes, never text of the file.
 *
 * @param several whether each rule must say which server it is for
 */
export function draftPolicy(servers: readonly DraftServer[], several: boolean): string {
  const lines = [
    '# Written by portcullis policy init. Each tool has a line; read each before you rely on it.',
    '# A tool that no line names is refused to everybody and not listed: one that the server adds',
    '# later stays closed until you add a line. Scopes follow what the server claims of its tools,',
    '# and it may be wrong or lie.',
    'tools:',
  ];
  for (const { name, tools } of servers) {
    const sorted = tools.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const named = new Set<string>();
    lines.push(`  # ${name}: ${count(tools.length, 'tool')}`);
    for (const tool of sorted) {
      if (!plainName.test(tool.name)) {
        lines.push(`  # left out: a tool with a name that MCP does not allow, ${neutralText(tool.name, 60)}`);
      } else if (!named.has(tool.name)) {
        named.add(tool.name);
        lines.push(ruleFor(tool, several ? name : null));
      }
    }
  }
  if (lines.every((line) => !line.startsWith('  - '))) lines[4] = 'tools: []';
  return `${lines.join('\n')}\n`;
}

function ruleFor(tool: ToolFacts, server: string | null): string {
  const { scope, because } = scopeFor(tool);
  const at = server === null ? '' : `, server: ${server}`;
  return `  - { match: ${JSON.stringify(tool.name)}${at}, scope: ${scope} }  # ${because}`;
}

function scopeFor({ readOnlyHint, destructiveHint }: ToolFacts): { scope: string; because: string } {
  if (readOnlyHint === true && destructiveHint === true)
    return { scope: 'mcp:tools:admin', because: 'claims to read only and to destroy: the worse is believed' };
  if (readOnlyHint === true) return { scope: 'mcp:tools:read', because: 'claims to read only' };
  if (destructiveHint === true)
    return { scope: 'mcp:tools:admin', because: 'claims that it may destroy something' };
  if (destructiveHint === false)
    return { scope: 'mcp:tools:write', because: 'claims to add and never to destroy' };
  return { scope: 'mcp:tools:write', because: 'claims nothing, which counts as destructive' };
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
