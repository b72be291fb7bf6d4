import { quoted } from '../evidence.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { type Tool, toolList } from '../tools.ts';

export const lethalTrio: Probe = {
  id: 'D06',
  title: 'Private data, strangers’ text and a way out do not meet',
  severity: 'info',
  mode: 'token',
  reference: 'Toxic flows between tools; OWASP MCP06',
  guideItems: [],
  why: 'Where one agent reads private data, reads what strangers wrote, and can send something out, the stranger’s text can make it send the data.',
  remedy: {
    words: 'Split the tools over servers with tokens of their own, or let a person confirm what goes out.',
    portcullis: 'tools: [{ match: "send_*", confirm: other }], or two servers with two audiences.',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    const found = legs.map(([what, pattern]) => ({
      what,
      tool: list.tools.find((tool) => matches(tool, pattern)),
    }));
    const missing = found.find(({ tool }) => tool === undefined);
    if (missing) return pass(`no tool ${missing.what}`);
    return fail(found.map(({ what, tool }) => `${quoted(tool?.name, 60)} ${what}`).join('; '));
  },
};

const legs: readonly (readonly [string, RegExp])[] = [
  [
    'reads private data',
    /\b(read|get|list|search|query|fetch)\w*\b.*\b(files?|notes?|mails?|emails?|messages?|tickets?|customers?|records?|documents?|database|repositor\w+|calendar|contacts?|secrets?)\b/i,
  ],
  [
    'reads what strangers wrote',
    /\b(fetch|browse|crawl|scrape|open|read|get|search)\w*\b.*\b(urls?|web|pages?|internet|issues?|inbox|emails?|comments?|feeds?|rss)\b/i,
  ],
  [
    'can send something out',
    /\b(send|post|publish|upload|forward|share|tweet|create_issue|webhook|http_request)\b/i,
  ],
];

function matches({ name, description }: Tool, pattern: RegExp): boolean {
  return pattern.test(`${name.replace(/[_-]/g, ' ')} ${description.slice(0, 500)}`.replaceAll('\n', ' '));
}
