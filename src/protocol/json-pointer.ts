/** A JSON pointer (RFC 6901) as its reference tokens, unescaped; `''` is the whole document. Null for what is none. */
export function parseJsonPointer(text: string): string[] | null {
  if (text === '') return [];
  // Section 3: a tilde is written ~0 and stands nowhere else but in ~1.
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return null;
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}
