import { quoted } from '../evidence.ts';
import { driftOf } from '../lock/drift.ts';
import { notTested, type Probe, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { toolList } from '../tools.ts';

export const drift: Probe = {
  id: 'D04',
  title: 'Tools are what they were at the last check',
  severity: 'high',
  mode: 'token',
  reference: 'OWASP MCP03 (rug pull); OWASP MCP cheat sheet',
  guideItems: [],
  why: 'A tool that was reviewed once can be changed any day: the name stays, and what it tells the model does not.',
  remedy: {
    words: 'Look at the change; if it is meant, write a new lock with --write-lock FILE.',
    portcullis: 'portcullis pins: definitions are pinned and changes graded.',
  },
  async run(context) {
    if (context.lock === null)
      return notTested('there is nothing to compare with', '--lock FILE, made by --write-lock FILE');
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    if (context.lock.url !== context.target.href)
      return notTested(`the lock is that of ${quoted(context.lock.url)}`, '--lock FILE of this URL');
    const problems = driftOf(context.lock, list.tools);
    return verdictOf(problems, `${list.tools.length} tools are unchanged`, []);
  },
};
