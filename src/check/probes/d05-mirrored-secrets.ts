import { quoted } from '../evidence.ts';
import { isRecord } from '../exchange.ts';
import { notTested, type Probe, type Problem, verdictOf } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { type Tool, toolList } from '../tools.ts';

export const mirroredSecrets: Probe = {
  id: 'D05',
  title: 'No secret is mirrored into a header',
  severity: 'medium',
  mode: 'token',
  reference: 'MCP 2026-07-28 tools, “x-mcp-header”',
  guideItems: [9],
  why: 'Headers are what proxies log. A parameter that is copied into one is in every log on the way.',
  remedy: {
    words:
      'Take x-mcp-header off parameters that hold secrets or personal data; names are letters, digits and hyphens, each once.',
    portcullis: 'Mirrored parameters are compared and never logged.',
  },
  async run(context) {
    const list = await context.once(toolList);
    if (list === null) return notTested('nobody gets a list of tools', needsToken);
    return verdictOf(list.tools.flatMap(problemsOf).slice(0, 20), 'nothing secret is mirrored', []);
  },
};

const secretive = /pass(word|phrase)?|secret|token|api_?key|credential|private|ssn|card|cvv|pin$/i;

function problemsOf({ name, inputSchema }: Tool): Problem[] {
  const mirrored = mirroredIn(inputSchema, 0);
  const headers = mirrored.map(({ header }) => String(header).toLowerCase());
  return mirrored.flatMap(({ parameter, header, type }) => {
    const where = `${quoted(name, 60)}, parameter ${quoted(parameter, 60)}`;
    const bad = typeof header !== 'string' || !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(header);
    const twice = headers.filter((one) => one === String(header).toLowerCase()).length > 1;
    return [
      ...(secretive.test(parameter) ? [{ text: `${where} looks secret and is mirrored` }] : []),
      ...(bad ? [{ text: `${where}: not a header name`, severity: 'low' as const }] : []),
      ...(twice ? [{ text: `${where}: the header is used twice`, severity: 'low' as const }] : []),
      ...(['object', 'array', 'number'].includes(String(type))
        ? [{ text: `${where}: a ${String(type)} cannot be mirrored`, severity: 'low' as const }]
        : []),
    ];
  });
}

interface Mirrored {
  readonly parameter: string;
  readonly header: unknown;
  readonly type: unknown;
}

function mirroredIn(schema: unknown, depth: number): Mirrored[] {
  const properties = isRecord(schema) ? schema['properties'] : undefined;
  if (!isRecord(properties) || depth > 6) return [];
  return Object.entries(properties)
    .slice(0, 200)
    .flatMap(([parameter, one]) => [
      ...(isRecord(one) && one['x-mcp-header'] !== undefined
        ? [{ parameter, header: one['x-mcp-header'], type: one['type'] }]
        : []),
      ...mirroredIn(one, depth + 1),
    ]);
}
