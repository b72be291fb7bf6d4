const loopbackHosts = new Set(['127.0.0.1', 'localhost', '[::1]']);

const maximumUris = 20;
const maximumLength = 2048;

/** Where codes may be sent: https anywhere, http to this computer, the listed applications. */
export type RedirectTarget =
  | { readonly kind: 'web'; readonly host: string }
  | { readonly kind: 'loopback'; readonly host: string }
  | { readonly kind: 'application'; readonly scheme: string };

/**
 * What a redirect URI leads to, or null if none is allowed to lead there: `javascript:`, `data:`, http to other hosts,
 * fragments, credentials and wildcards are out (RFC 9700 section 4.1, OAuth 2.1 section 2.3.1).
 * @param uri attacker-controlled
 * @param schemes of applications, without the colon, from the configuration
 */
export function redirectTarget(uri: string, schemes: readonly string[]): RedirectTarget | null {
  if (uri.length > maximumLength || hasForbiddenCharacter(uri)) return null;
  const url = URL.parse(uri);
  if (url === null || url.username !== '' || url.password !== '') return null;
  // The host goes into a Content-Security-Policy, where `;` and `,` mean something.
  if (!/^[a-z0-9.:[\]_-]*$/.test(url.host)) return null;
  if (schemes.includes(url.protocol.slice(0, -1))) return { kind: 'application', scheme: url.protocol };
  const isLoopback = loopbackHosts.has(url.hostname);
  if (url.protocol === 'http:' && isLoopback) return { kind: 'loopback', host: url.host };
  if (url.protocol === 'https:' && !isLoopback) return { kind: 'web', host: url.host };
  return null;
}

/** Spaces, controls, `\`, `*` and `#`: read differently by different parsers, or a pattern, or a fragment. */
function hasForbiddenCharacter(uri: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\u0000-\u0020\u007f-\u00a0\\*#<>"]/.test(uri);
}

/** The target as a CSP source. IPv6 addresses cannot be written in one (CSP 3 section 2.3.1). */
export function redirectSource(target: RedirectTarget): string {
  if (target.kind === 'application') return target.scheme;
  if (target.host.startsWith('[')) return 'http:';
  return `${target.kind === 'web' ? 'https' : 'http'}://${target.host}`;
}

/** True if every URI is a string that may be registered. */
export function areAllowedRedirects(uris: unknown, schemes: readonly string[]): uris is string[] {
  return (
    Array.isArray(uris) &&
    uris.length > 0 &&
    uris.length <= maximumUris &&
    uris.every((uri) => typeof uri === 'string' && redirectTarget(uri, schemes) !== null)
  );
}

/** True if a code can only ever be sent to this computer: whoever runs a program on it may pose as the client. */
export function areAllLoopback(uris: readonly string[]): boolean {
  return uris.length > 0 && uris.every((uri) => redirectTarget(uri, [])?.kind === 'loopback');
}
