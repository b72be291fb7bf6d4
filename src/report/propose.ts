import { neutralText } from '../base/index.ts';
import type { ToolFacts } from '../policy/index.ts';
import type { Seen, ToolUse } from './gather.ts';
import type { Windows } from './windows.ts';

export interface ProposalOptions {
  /** This share of the calls is to pass: 1 to 100. */
  readonly percentile: number;
  /** What is left above that: 2 for twice as many. */
  readonly headroom: number;
  /** Tools that there are, as their servers list them; empty where nobody knows. */
  readonly known: readonly KnownTool[];
}

export interface KnownTool {
  readonly server: string;
  readonly facts: ToolFacts;
}

export interface Proposal {
  readonly tools: readonly ProposedRule[];
  /** Calls a minute. */
  readonly client: number | null;
  readonly organization: number | null;
  readonly unused: readonly { server: string; tool: string }[];
  /** Tools that were called and get no rule, and why. */
  readonly left: readonly { server: string; tool: string; why: string }[];
}

export interface ProposedRule {
  readonly server: string;
  readonly match: string;
  readonly scope: string;
  /** Calls a minute of one caller. */
  readonly limit: number;
  readonly calls: number;
}

/** Fewer calls than this a minute are no limit to set from what was seen by chance. */
const leastLimit = 10;

/** What was seen, as a policy: nothing that was not used, and of names only those that a server lists. */
export function propose(seen: Seen, options: ProposalOptions): Proposal {
  const known = new Map(options.known.map((one) => [keyOf(one.server, one.facts.name), one]));
  const uses = [...seen.tools.values()].sort(
    (a, b) => compare(a.server, b.server) || compare(a.tool, b.tool),
  );
  const left = uses.flatMap(({ server, tool }) => {
    const why = whyNot(tool, known.size === 0 || known.has(keyOf(server, tool)));
    return why === null ? [] : [{ server, tool, why }];
  });
  const tools = uses
    .filter((use) => !left.some(({ server, tool }) => server === use.server && tool === use.tool))
    .map((use) => ruleFor(use, known.get(keyOf(use.server, use.tool))?.facts, options));
  const used = new Set(uses.map(({ server, tool }) => keyOf(server, tool)));
  return {
    tools,
    client: seen.calls === 0 ? null : limitOf(seen.callers, options),
    organization: seen.calls === 0 ? null : limitOf(seen.organizations, options),
    unused: options.known
      .filter(({ server, facts }) => !used.has(keyOf(server, facts.name)))
      .map(({ server, facts }) => ({ server, tool: facts.name }))
      .sort((a, b) => compare(a.server, b.server) || compare(a.tool, b.tool)),
    left,
  };
}

function ruleFor(use: ToolUse, facts: ToolFacts | undefined, options: ProposalOptions): ProposedRule {
  const byHint =
    facts?.readOnlyHint === true && facts.destructiveHint !== true ? 'mcp:tools:read' : 'mcp:tools:write';
  const [scope = byHint] = [...use.scopes]
    .filter((one) => /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(one))
    .sort(compare);
  return {
    server: use.server,
    match: use.tool,
    scope,
    limit: limitOf(use.windows, options),
    calls: use.calls,
  };
}

function limitOf(windows: Windows, { percentile, headroom }: ProposalOptions): number {
  return rounded(Math.max(leastLimit, Math.ceil(windows.percentile(percentile) * headroom)));
}

/** Up, to two digits: 137 is 140. */
function rounded(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.ceil(value / unit) * unit;
}

function whyNot(tool: string, isListed: boolean): string | null {
  if (!isListed) return 'no server lists it';
  return /^[A-Za-z0-9_./:-]{1,128}$/.test(tool)
    ? null
    : 'its name has characters that a rule would read otherwise';
}

/** The sections to paste, in place of those of the same name. */
export function policyYaml(seen: Seen, proposal: Proposal): string {
  const lines = [
    `# Proposed by portcullis report from ${seen.calls} calls between ${seen.since} and ${seen.until}.`,
    '# These sections take the place of tools: and limits:. What has no rule is not exposed. Read every line.',
    'tools:',
    ...proposal.tools.map(
      ({ match, server, scope, limit, calls }) =>
        `  - { match: ${JSON.stringify(match)}, server: ${server}, scope: ${JSON.stringify(scope)}, limit: ${limit}/min } # ${calls} calls`,
    ),
    ...(proposal.tools.length === 0 ? ['  []'] : []),
    ...proposal.unused.map(({ server, tool }) => `  # never used: ${safe(tool)} of ${server}`),
    ...proposal.left.map(({ server, tool, why }) => `  # left out: ${safe(tool)} of ${server}: ${why}`),
  ];
  if (proposal.client !== null && proposal.organization !== null) {
    lines.push('limits:', `  client: ${proposal.client}/min`, `  organization: ${proposal.organization}/min`);
  }
  return `${lines.join('\n')}\n`;
}

/** A name of a caller or a server, in a comment: nothing in it ends the line. */
function safe(text: string): string {
  return neutralText(text, 128);
}

function keyOf(server: string, tool: string): string {
  return `${server} ${tool}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
