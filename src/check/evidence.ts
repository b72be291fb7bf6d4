import { neutralLine, neutralLines, type Secret } from '../base/index.ts';
import type { Exchange } from './exchange.ts';

/** A credential and what it is called in reports: `good`, `read-only`. */
export interface NamedSecret {
  readonly name: string;
  readonly secret: Secret;
}

/** What is shown of one exchange: without credentials, without control characters, short. */
export interface Evidence {
  readonly sent: string;
  readonly received: string;
}

const longestBody = 700;
const longestHeader = 300;
/** What is looked through at all: a credential that the cut at this place halves is behind what is shown. */
const mostBody = 64 * 1024;
const shownHeaders =
  /^(www-authenticate|content-type|location|retry-after|cache-control|access-control-.*|mcp-.*|server|x-powered-by|strict-transport-security|x-request-id|allow)$/;

export function evidenceOf(exchange: Exchange, secrets: readonly NamedSecret[]): Evidence {
  // Redacted before it is cut: half a credential would no longer be recognised.
  const clean = (text: string, longest: number) => short(neutralLines(redact(text, secrets)), longest);
  const { request } = exchange;
  const sent = [
    clean(`${request.method} ${request.url}`, longestHeader),
    ...request.headers
      .filter(([name]) => !/^(content-length|accept|content-type|user-agent)$/i.test(name))
      .map(([name, value]) => clean(`${name}: ${shownValue(name, value, secrets)}`, longestHeader)),
    ...(request.body === null ? [] : ['', clean(request.body, longestBody)]),
  ];
  const received =
    exchange.status === 0
      ? [clean(`no answer: ${exchange.failure ?? 'the connection was closed'}`, longestHeader)]
      : [
          `HTTP ${exchange.status}`,
          ...exchange.headers
            .filter(([name]) => shownHeaders.test(name.toLowerCase()))
            .map(([name, value]) => clean(`${name}: ${shownValue(name, value, secrets)}`, longestHeader)),
          ...(exchange.body === '' ? [] : ['', clean(exchange.body.slice(0, mostBody), longestBody)]),
        ];
  return { sent: sent.join('\n'), received: received.join('\n') };
}

/** A session id stands for somebody, and a token with one character changed is all but that token. */
function shownValue(name: string, value: string, secrets: readonly NamedSecret[]): string {
  if (/^mcp-session-id$/i.test(name)) return `[session of ${value.length} characters]`;
  if (!/^(?:authorization|cookie)$/i.test(name)) return value;
  const known = redact(value, secrets);
  return known === value && value.length > longestWord ? `[${value.length} characters]` : known;
}

/** Made-up words are shown as they were sent. */
const longestWord = 32;

/** Known credentials by name; then whatever looks like one, since a server may send us another's. */
export function redact(text: string, secrets: readonly NamedSecret[]): string {
  let shown = text;
  for (const { name, secret } of secrets) {
    const value = secret.reveal();
    if (value.length <= 3) continue;
    const instead = `[${name} token]`;
    for (const form of formsOf(value)) shown = withoutHalf(shown.replaceAll(form, instead), form, instead);
  }
  return shown
    .replace(/eyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?/g, '[JWT]')
    .replace(
      /("(?:\w*access_token|refresh_token|id_token|client_secret|code)"\s*:\s*")[^"]+/g,
      '$1[redacted]',
    )
    .replace(/((?:\w*access_token|refresh_token|client_secret|\bcode|\btoken)=)[^&\s"]+/g, '$1[redacted]');
}

/** As it is, as it stands in a URL or a form, and as Basic credentials or an echo may encode it. */
function formsOf(value: string): Set<string> {
  // Whole groups alone: what stands behind it in the same text changes the last one.
  const bytes = Buffer.from(value);
  const base64 = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
  const all = [value, encodeURIComponent(value), new URLSearchParams([['', value]]).toString().slice(1)];
  return new Set([
    ...all,
    ...(value.length > 8 ? [base64, base64.replace(/\+/g, '-').replace(/\//g, '_')] : []),
  ]);
}

const leastHalf = 8;

/** What a quotation cut in two, at its “…”: the first part of a credential. */
function withoutHalf(text: string, value: string, instead: string): string {
  if (value.length < leastHalf || !text.includes(value.slice(0, leastHalf))) return text;
  return text
    .split('…')
    .map((part, at, parts) => {
      const start = at === parts.length - 1 ? -1 : part.lastIndexOf(value.slice(0, leastHalf));
      return start >= 0 && value.startsWith(part.slice(start)) ? part.slice(0, start) + instead : part;
    })
    .join('…');
}

/** One line of text from a server, inside a sentence of ours. */
export function quoted(value: unknown, longest = 120): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return `“${neutralLine(short(text, longest).replaceAll('\n', ' '))}”`;
}

function short(text: string, longest: number): string {
  return text.length > longest
    ? `${text.slice(0, longest).toWellFormed()}… (${text.length} characters)`
    : text;
}
