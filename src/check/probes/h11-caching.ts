import { headerOf } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { toolList } from '../tools.ts';

export const caching: Probe = {
  id: 'H11',
  title: 'Answers for one caller are not cached for another',
  severity: 'medium',
  mode: 'token',
  reference: 'RFC 9111 section 3.5; MCP 2026-07-28 caching',
  guideItems: [],
  why: 'A cache on the way hands what one person got to the next.',
  remedy: {
    words:
      'Send Cache-Control: no-store (or private) with every answer to a token, and cacheScope private with lists that depend on the caller.',
    express: 'res.set("Cache-Control", "no-store") before the MCP handler.',
    portcullis: 'no-store with every answer; filtered lists are marked private.',
  },
  async run(context) {
    if (context.tokens.tokens.good === undefined) return notTested('there is no good token', needsToken);
    const list = await context.once(toolList);
    if (list === null) return notTested('the good token gets no list of tools');
    const control = headerOf(list.exchange, 'cache-control') ?? '';
    const problems: Problem[] = [];
    if (!/\b(no-store|private|no-cache)\b/i.test(control))
      problems.push({
        text:
          control === '' ? 'the answer has no Cache-Control' : 'Cache-Control lets others keep the answer',
      });
    if (list.result['cacheScope'] === 'public')
      problems.push({ text: 'the list of tools is marked cacheScope public' });
    return verdictOf(problems, control || 'not cacheable', [list.exchange]);
  },
};
