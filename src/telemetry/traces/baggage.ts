/** W3C Baggage, section 3.2.1: a token of RFC 9110. */
const keyPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** `baggage-octet`: printable ASCII without space, `"`, `,`, `;` and `\`; anything else is percent-encoded. */
const valuePattern = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{0,256}$/;
/** Section 3.3: 8192 bytes and 64 members are what must be passed on at least. Beyond them nobody looks at it. */
const longest = 8192;
const mostMembers = 64;

/**
 * What may travel on: members whose keys the operator lists, the first of each, without their properties. An upstream may take
 * baggage for what the gateway says, and any caller can write it.
 *
 * @returns null where nothing is left
 */
export function allowedBaggage(value: unknown, allowed: ReadonlySet<string>): string | null {
  if (allowed.size === 0 || typeof value !== 'string' || value.length > longest) return null;
  const parts = value.split(',');
  if (parts.length > mostMembers) return null;
  const kept = new Map<string, string>();
  for (const part of parts) {
    const [member = ''] = part.split(';', 1);
    const at = member.indexOf('=');
    const key = member.slice(0, Math.max(at, 0)).trim();
    const content = member.slice(at + 1).trim();
    if (!keyPattern.test(key) || !valuePattern.test(content)) return null;
    if (allowed.has(key) && !kept.has(key)) kept.set(key, content);
  }
  return kept.size === 0 ? null : [...kept].map(([key, content]) => `${key}=${content}`).join(',');
}
