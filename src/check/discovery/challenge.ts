/** One challenge of a `WWW-Authenticate` header: RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const longest = 16_384;

/** @param header attacker-controlled. @returns null where it does not follow the grammar */
function readChallenges(header: string): Challenge[] | null {
  if (header.length > longest) return null;
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  // One token, then either `=` and a value, or (a scheme) a blank or the end.
  const step = /\s*,?\s*([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|(?=\s|,|$))/gy;
  let at = 0;
  while (at < header.trimEnd().length) {
    step.lastIndex = at;
    const match = step.exec(header);
    if (match === null) return null;
    at = step.lastIndex;
    const [, name = '', inQuotes, bare] = match;
    const value = inQuotes?.replace(/\\(.)/g, '$1') ?? bare;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else {
      const parameters = found.at(-1)?.parameters;
      if (parameters === undefined || parameters.has(name.toLowerCase())) return null;
      parameters.set(name.toLowerCase(), value);
    }
  }
  return found;
}

export function bearerOf(header: string | null): Challenge | null {
  return (header === null ? null : readChallenges(header))?.find(({ scheme }) => scheme === 'bearer') ?? null;
}
