import type { Secret } from '../base/index.ts';
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
  const clean = (text: string, longest: number) => short(neutral(redact(text, secrets)), longest);
  const { request } = exchange;
  const sent = [
    clean(`${request.method} ${request.url}`, longestHeader),
    ...request.headers
      .filter(([name]) => !/^(content-length|accept|content-type|user-agent)$/i.test(name))
      .map(([name, value]) => clean(`${name}: ${value}`, longestHeader)),
    ...(request.body === null ? [] : ['', clean(request.body, longestBody)]),
  ];
  const received =
    exchange.status === 0
      ? [clean(`no answer: ${exchange.failure ?? 'the connection was closed'}`, longestHeader)]
      : [
          `HTTP ${exchange.status}`,
          ...exchange.headers
            .filter(([name]) => shownHeaders.test(name.toLowerCase()))
            .map(([name, value]) => clean(`${name}: ${value}`, longestHeader)),
          ...(exchange.body === '' ? [] : ['', clean(exchange.body.slice(0, mostBody), longestBody)]),
        ];
  return { sent: sent.join('\n'), received: received.join('\n') };
}

/** Known credentials by name; then whatever looks like one, since a server may send us another's. */
export function redact(text: string, secrets: readonly NamedSecret[]): string {
  let shown = text;
  for (const { name, secret } of secrets) {
    const value = secret.reveal();
    if (value.length > 3) shown = shown.replaceAll(value, `[${name} token]`);
  }
  return shown
    .replace(/eyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?/g, '[JWT]')
    .replace(/("(?:access_token|refresh_token|id_token|client_secret|code)"\s*:\s*")[^"]+/g, '$1[redacted]')
    .replace(/((?:access_token|refresh_token|client_secret|code)=)[^&\s"]+/g, '$1[redacted]');
}

/** Control and format characters and line separators; newlines stay. */
const invisible = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text of others may hold escape sequences and characters that turn its direction: they are shown, not obeyed. Newlines stay. */
export function neutral(text: string): string {
  return text.replace(invisible, '\ufffd').toWellFormed();
}

/** One line of text from a server, inside a sentence of ours. */
export function quoted(value: unknown, longest = 120): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return `“${neutral(short(text, longest)).replaceAll('\n', ' ')}”`;
}

function short(text: string, longest: number): string {
  return text.length > longest
    ? `${text.slice(0, longest).toWellFormed()}… (${text.length} characters)`
    : text;
}
