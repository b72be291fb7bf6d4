import { isRecord } from '../exchange.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { type Tool, toolList } from '../tools.ts';

export const securitySchemes: Probe = {
  id: 'D07',
  title: 'Tools name the scopes that they need',
  severity: 'info',
  mode: 'token',
  reference: 'OpenAI Apps SDK, authentication (securitySchemes)',
  guideItems: [],
  why: 'ChatGPT asks for more scopes only where a tool says which.',
  remedy: {
    words: 'Add securitySchemes: [{ "type": "oauth2", "scopes": […] }] to each tool.',
    portcullis: 'Added to each listed tool.',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    if (context.tokens.tokens.good === undefined)
      return notTested('the server asks for no token', needsToken);
    const without = list.tools.filter((tool) => !hasSchemes(tool));
    if (without.length === 0) return pass(`all ${list.tools.length} tools have securitySchemes`);
    return fail(`${without.length} of ${list.tools.length} tools have no securitySchemes`);
  },
};

function hasSchemes({ raw }: Tool): boolean {
  const meta = raw['_meta'];
  return Array.isArray(raw['securitySchemes']) || (isRecord(meta) && Array.isArray(meta['securitySchemes']));
}
