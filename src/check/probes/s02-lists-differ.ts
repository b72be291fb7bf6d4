import { fail, notTested, type Probe, pass } from '../probe.ts';
import { listAs } from '../tools.ts';

export const listsDiffer: Probe = {
  id: 'S02',
  title: 'Each caller sees what they may call',
  severity: 'medium',
  mode: 'tokens',
  reference: 'MCP 2026-07-28 tools, “Listing Tools”; OWASP MCP02',
  guideItems: [6],
  why: 'A model tries what it sees. A list with every tool invites calls that must be refused, and tells a thief what to look for.',
  remedy: {
    words: 'Leave out of tools/list what the token’s scopes do not allow, or mark it as needing more.',
    sdk: 'Register tools for each request from extra.authInfo.scopes, or filter the list.',
    fastmcp: 'Filter in a middleware: on_list_tools.',
    portcullis:
      'Lists are filtered by what the caller may do; show: locked keeps a tool visible with its scope.',
  },
  async run(context) {
    const { good, 'read-only': reader } = context.tokens.tokens;
    if (good === undefined || reader === undefined)
      return notTested(
        'two tokens with different scopes are needed',
        '--lab, or --tokens FILE with "read-only"',
      );
    const [all, some] = [await listAs(context, good), await listAs(context, reader)];
    if (all === null || some === null) return notTested('one of the two tokens gets no list');
    const names = (list: typeof all) =>
      list.tools
        .map(({ name }) => name)
        .toSorted()
        .join('\n');
    if (names(all) !== names(some))
      return pass(`${all.tools.length} tools for one, ${some.tools.length} for the other`);
    const marked = some.tools.some(
      (tool) => JSON.stringify(tool) !== JSON.stringify(all.tools.find((one) => one.name === tool.name)),
    );
    if (marked) return pass('the same tools, those that need more are marked');
    const writing = all.tools.some(({ annotations }) => annotations['readOnlyHint'] !== true);
    if (!writing) return pass('every tool only reads');
    return fail(`both see the same ${all.tools.length} tools`, [some.exchange]);
  },
};
