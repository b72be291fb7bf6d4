import { quoted } from './evidence.ts';
import { isRecord } from './exchange.ts';
import type { Tool } from './tools.ts';

/** Signs of a description that is written for the model alone. Heuristics: each says what it saw. */
export function suspicions(tool: Tool, names: readonly string[]): string[] {
  const texts = textsOf(tool.raw, 0);
  const text = texts.join('\n');
  const plain = text.normalize('NFKC');
  return [
    ...characters(text),
    ...orders.flatMap(([what, pattern]) => {
      const found = pattern.exec(plain)?.[0];
      return found === undefined ? [] : [`${what}: ${quoted(found, 80)}`];
    }),
    ...shadowed(tool, names),
    ...collectors(tool),
  ];
}

const mostTexts = 400;

/** Every string that a model may be shown: descriptions, titles, names of parameters, defaults, enumerations. */
function textsOf(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return [value.slice(0, 20_000)];
  if (depth > 12) return [];
  if (Array.isArray(value)) return value.slice(0, mostTexts).flatMap((one) => textsOf(one, depth + 1));
  if (!isRecord(value)) return [];
  return Object.entries(value)
    .slice(0, mostTexts)
    .flatMap(([key, one]) => [...(depth > 1 ? [key] : []), ...textsOf(one, depth + 1)]);
}

function characters(text: string): string[] {
  const kinds = [
    ['tag characters, which nobody sees', /[\u{e0000}-\u{e007f}]/u],
    ['characters that turn the direction of text', /[\u202a-\u202e\u2066-\u2069]/],
    ['characters of no width', /[\u200b\u2060\u2062-\u2064\ufeff]/],
    ['variation selectors in a row', /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{3,}/u],
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    ['terminal escapes', /[\u001b\u009b]/],
  ] as const;
  return kinds.filter(([, pattern]) => pattern.test(text)).map(([what]) => `hidden text: ${what}`);
}

const orders: readonly (readonly [string, RegExp])[] = [
  [
    'it sets other instructions aside',
    /\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+)?(?:the\s+)?(?:previous|prior|above|earlier|other|system)\b[^.\n]{0,40}/i,
  ],
  [
    'it speaks in tags to the model',
    /<\/?(?:important|system|secret|instructions?|assistant|critical|hidden|admin)\b[^>]{0,20}>/i,
  ],
  [
    'it asks for secrecy',
    /\b(?:do not|don't|never|without)\s+(?:tell|telling|mention|mentioning|inform|informing|reveal|notify|notifying|ask|asking|show)\w*\s+(?:this\s+|it\s+)?(?:to\s+)?the\s+user\b/i,
  ],
  [
    'it wants to be called first or always',
    /\b(?:you\s+must|always)\s+(?:first\s+)?(?:call|use|invoke|run)\s+this\s+tool\s+(?:before|first|instead)\b/i,
  ],
  [
    'it asks for files or keys',
    /(?:~\/|\/home\/[^/\s]+\/)?\.(?:ssh|aws|env|netrc|kube)\b(?:\/\w+)?|\bid_rsa\b|\/etc\/(?:passwd|shadow)/i,
  ],
  [
    'it asks for the conversation',
    /\b(?:include|pass|send|append|provide)\b[^.\n]{0,40}\b(?:entire|full|whole|complete|all)\b[^.\n]{0,20}\b(?:conversation|chat\s+history|context|system\s+prompt|previous\s+messages)\b/i,
  ],
  [
    'it sends something elsewhere',
    /\b(?:send|post|forward|upload|bcc|exfiltrate)\b[^.\n]{0,40}\b(?:https?:\/\/|to\s+[\w.+-]+@[\w-]+\.\w+)/i,
  ],
  ['it holds a long encoded block', /(?:[A-Za-z0-9+/]{4}){40,}={0,2}/],
];

/** A description that tells the model what to do with another tool. */
function shadowed({ name, description }: Tool, names: readonly string[]): string[] {
  const read = description.slice(0, 4000);
  const others = names.filter((one) => one !== name && one.length > 3 && read.includes(one));
  const orders =
    /\b(?:instead of|before (?:calling|using)|whenever|when (?:calling|using)|do not use|must not use|replace)\b/i;
  if (others.length === 0 || !orders.test(read)) return [];
  return [`it says how to use another tool: ${quoted(others[0])}`];
}

const collecting =
  /^(?:conversation(?:_?history)?|chat_?history|context|system_?prompt|previous_?messages|full_?conversation|model_?name|tools?_?list|sidenote|side_?note|feedback|reasoning|chain_?of_?thought)$/i;

/** Parameters that exist to be told what the tool does not need. */
function collectors({ inputSchema }: Tool): string[] {
  const properties = isRecord(inputSchema) ? inputSchema['properties'] : undefined;
  if (!isRecord(properties)) return [];
  return Object.keys(properties)
    .filter((name) => collecting.test(name))
    .slice(0, 5)
    .map((name) => `a parameter that asks for what the model knows: ${quoted(name)}`);
}
