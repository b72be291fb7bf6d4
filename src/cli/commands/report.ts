import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { neutralText, timestamp } from '../../base/index.ts';
import type { KnownTool, Proposal, Seen } from '../../report/index.ts';
import { openStore } from '../audit-store.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';

/** `portcullis report`: from what was seen to a policy. */
export const report: CommandBody = {
  usage: ['[--since 7d] [--percentile 99] [--headroom 2] [--policy] [--data DIR]'],
  options: {
    since: { value: 'TIME', help: 'from then on: 24h, 7d, or 2026-07-28; default 7d' },
    until: { value: 'TIME', help: 'before then' },
    percentile: { value: 'P', help: 'share of the calls that the limits would have passed; default 99' },
    headroom: { value: 'N', help: 'times that; default 2' },
    policy: { help: 'print only the sections to paste into the configuration' },
    ...dataOptions,
  },
  notes:
    'What callers did while nothing was refused is what they did, not what they should do: read every line.\nNames of clients and tools are the words of others.',
  async run(given, context) {
    const directory = await findDataDirectory(given, context);
    const { parseTime, queryEntries } = await import('../../audit/index.ts');
    const { gather, policyYaml, propose } = await import('../../report/index.ts');
    const now = context.clock.now();
    const time = (option: string, fallback: string) =>
      parseTime(given.text(option) ?? fallback, { now, option: `--${option}` });
    const period = {
      since: time('since', '7d'),
      until: given.has('until') ? time('until', '') : timestamp(now),
    };
    const limits = {
      percentile: numberOf(given, 'percentile', { fallback: 99, least: 1, most: 100 }),
      headroom: numberOf(given, 'headroom', { fallback: 2, least: 1, most: 100 }),
    };
    const source = await openStore(given, context);
    const seen = await gather(queryEntries(source, { ...period, order: 'oldest' }), period).finally(() =>
      source.close(),
    );
    const proposal = propose(seen, { ...limits, known: await knownTools(directory) });
    const policy = policyYaml(seen, proposal);
    if (context.json) context.output.json({ ...asJson(seen, proposal), policy });
    else if (given.has('policy')) context.output.lines(policy.trimEnd());
    else print(seen, { proposal, policy, context });
    return exitCodes.ok;
  },
};

/** As the gateway pinned them; none where it has pinned nothing. */
async function knownTools(directory: string): Promise<KnownTool[]> {
  if (!existsSync(join(directory, 'pins.db'))) return [];
  const { openPinStore } = await import('../../pins/index.ts');
  const { toolFacts } = await import('../../upstream/index.ts');
  const store = openPinStore(directory);
  try {
    return store.pins().flatMap(({ server, definition }) => {
      const facts = toolFacts(definition.tool);
      return facts === null ? [] : [{ server, facts }];
    });
  } finally {
    store.close();
  }
}

interface Range {
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
}

function numberOf(given: Given, option: string, { fallback, least, most }: Range): number {
  const text = given.text(option);
  if (text === undefined) return fallback;
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${option} is no number from ${least} to ${most}`, `write --${option} ${fallback}`);
}

function asJson(seen: Seen, proposal: Proposal) {
  const { since, until, calls } = seen;
  return {
    since,
    until,
    calls,
    clients: clientsOf(seen),
    tools: proposal.tools,
    limits: { client: proposal.client, organization: proposal.organization },
    unused: proposal.unused,
    leftOut: proposal.left,
    wouldDeny: denialsOf(seen),
    staticKeys: [...seen.staticKeys].map(([name, use]) => ({ name, ...use })),
    anonymous: [...seen.anonymous].map(([address, count]) => ({ address, calls: count })),
  };
}

function clientsOf({ clients }: Seen) {
  return [...clients.values()]
    .sort((a, b) => b.calls - a.calls)
    .map(({ client, calls, subjects, needed, held }) => ({
      client,
      calls,
      callers: subjects.size,
      needs: [...needed].sort(),
      unusedScopes: [...held].filter((scope) => !needed.has(scope)).sort(),
    }));
}

function denialsOf({ wouldDeny }: Seen) {
  return [...wouldDeny.values()].sort((a, b) => b.calls - a.calls);
}

const shownRows = 50;

function print(
  seen: Seen,
  { proposal, policy, context: { output } }: { proposal: Proposal; policy: string; context: CommandContext },
): void {
  const line = (text: string) => output.line(neutralText(text, 500));
  line(`${seen.calls} calls from ${seen.since} to ${seen.until}`);
  section('Clients, and the scopes that their calls needed');
  for (const { client, calls, callers, needs, unusedScopes } of clientsOf(seen).slice(0, shownRows)) {
    const unused = unusedScopes.length > 0 ? `; never needed: ${unusedScopes.join(' ')}` : '';
    line(
      `  ${client || 'without a client'}  ${calls} calls of ${callers}: ${needs.join(' ') || 'no scope'}${unused}`,
    );
  }
  const denials = denialsOf(seen);
  section('Would have been refused', denials.length);
  for (const { layer, reason, rule, tool, calls } of denials.slice(0, shownRows)) {
    line(`  ${layer}  ${reason}  ${tool ?? '-'}  ${rule ?? '-'}  ${calls} calls`);
  }
  section('Without OAuth', seen.staticKeys.size + seen.anonymous.size);
  for (const [name, { calls, last }] of seen.staticKeys)
    line(`  static key ${name}  ${calls} calls, last ${last}`);
  for (const [address, calls] of [...seen.anonymous].slice(0, shownRows))
    line(`  no token, from ${address}  ${calls} calls`);
  section('Never used', proposal.unused.length);
  for (const { server, tool } of proposal.unused) line(`  ${tool} of ${server}`);
  section('Proposed policy');
  output.lines(policy.trimEnd());

  function section(title: string, rows = 1): void {
    output.line();
    output.line(title);
    if (rows === 0) output.line('  nothing');
  }
}
