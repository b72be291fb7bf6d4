/**
 * The one list of what never appears in a record, log line, alert, report or message: the last net below the rule that nobody
 * passes a secret there. Shapes that are never evidence and often credentials; each pattern is linear in the length of the text.
 */
const neverRecorded: ReadonlyArray<{ readonly pattern: RegExp; readonly replacement: string }> = [
  // PEM, with its newlines real, escaped or gone, and also when the end was cut off
  {
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
    replacement: '[private key]',
  },
  // JWS and JWE in compact form (RFC 7515 section 7.1): the first part is the base64url of `{"`
  { pattern: /\beyJ[\w-]{5,}(?:\.[\w-]*)*/g, replacement: '[jwt]' },
  // Authorization and Proxy-Authorization values (RFC 6750 section 2.1, RFC 9449, RFC 7617)
  { pattern: /\b(Bearer|DPoP|Basic)(?:\s|%20|\+){1,8}[\w.~+/=-]{8,}/gi, replacement: '$1 [redacted]' },
  // userinfo in a URL (RFC 3986 section 3.2.1)
  { pattern: /(:\/\/)[^\s/?#@]{1,400}@/g, replacement: '$1[redacted]@' },
  // keys that name themselves: OpenAI and Anthropic, GitHub, Slack, AWS, Google, Stripe
  { pattern: /\b[sr]k[-_][\w-]{8,}/g, replacement: '[key]' },
  { pattern: /\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,})/g, replacement: '[key]' },
  { pattern: /\bxox[a-z]-[\w-]{8,}/g, replacement: '[key]' },
  { pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, replacement: '[key]' },
  { pattern: /\bAIza[\w-]{20,}/g, replacement: '[key]' },
  // headers that carry one (RFC 6265, RFC 9110 section 11.6), whole
  {
    pattern: /\b((?:set-)?cookie|(?:proxy-)?authorization)(["']?\s{0,4}[=:]\s{0,4}["']?)[^\r\n"']+/gi,
    replacement: '$1$2[redacted]',
  },
  // parameters that carry a secret in a URL, form, header or JSON (RFC 6749, 7521, 7523, 7636, 8693)
  {
    pattern:
      /\b((?:access|refresh|subject|actor|id)_token(?:_hint)?|(?:client_)?assertion|client_secret|code_verifier|password|passwd|api[-_]?key|secret)(["']?\s{0,4}[=:]\s{0,4}["']?)[^\s&"',;]+/gi,
    replacement: '$1$2[redacted]',
  },
  // names that mean something else elsewhere: in a query or form alone
  { pattern: /(^|[?&])(code|token)=[^\s&"',;]+/gi, replacement: '$1$2=[redacted]' },
];

/** One pass that tells almost every text apart from those worth looking at. */
const suspicious =
  /eyJ|bearer|dpop|basic|-----BEGIN|@|[sr]k[-_]|gh[pousr]_|github_pat|xox|AKIA|ASIA|AIza|token|secret|verifier|assertion|passw|key|cookie|authorization|code=/i;

/** `text` without what looks like a credential. Call it on bounded text, before anything is cut off. */
export function redact(text: string): string {
  if (text.length < 8 || !suspicious.test(text)) return text;
  return neverRecorded.reduce((rest, { pattern, replacement }) => rest.replace(pattern, replacement), text);
}

/** Whether the value of a member of this name is a secret, whatever it looks like. */
export function isSecretName(name: string): boolean {
  const probe = `${name.slice(0, 200)}: 12345678`;
  return redact(probe) !== probe;
}

/** Longest value in a log line, in UTF-16 units. */
const longestLogged = 8_000;

/** The fields of a log line without what looks like a credential. */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, redactValue(value, 0)]));
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') {
    const shown = redact(value.slice(0, longestLogged * 2)).slice(0, longestLogged);
    return value.length > longestLogged ? `${shown}…` : shown;
  }
  if (Array.isArray(value) && depth < 3) return value.map((one) => redactValue(one, depth + 1));
  if (
    value !== null &&
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    depth < 3
  )
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, redactValue(one, depth + 1)]),
    );
  return value;
}
