/** What a 401 tells a client: RFC 6750 section 3, RFC 9728 section 5.1. */
export interface ReadChallenge {
  readonly resourceMetadata: string | null;
  readonly scopes: readonly string[];
}

const maximumLength = 8192;

/** @param header attacker-controlled. @returns null without a `Bearer` challenge */
export function readChallenge(header: string | null): ReadChallenge | null {
  if (header === null || header.length > maximumLength) return null;
  const start = /(?:^|,\s*)bearer(?:\s|$)/i.exec(header);
  if (start === null) return null;
  const parameters = new Map<string, string>();
  const rest = header.slice(start.index + start[0].length);
  for (const [, name = '', quoted, bare] of rest.matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))/gi)) {
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), quoted ?? bare ?? '');
  }
  return {
    resourceMetadata: parameters.get('resource_metadata') ?? null,
    scopes: (parameters.get('scope') ?? '').split(' ').filter(Boolean),
  };
}
