/**
 * Names and attributes of the cookies. Over https the prefixes bind them to this host and to TLS (RFC 6265bis section
 * 4.1.3); the two that are limited to one authorization request's path cannot carry `__Host-`, which demands `/`.
 */
export function cookieSettings(publicUrl: string) {
  const secure = publicUrl.startsWith('https:');
  const attributes = { httpOnly: true, sameSite: 'lax', path: '/', signed: true, secure } as const;
  const { path: _everywhere, ...onePath } = attributes;
  return {
    names: {
      session: cookieName('portcullis_session', publicUrl),
      interaction: `${secure ? '__Secure-' : ''}portcullis_interaction`,
      resume: `${secure ? '__Secure-' : ''}portcullis_resume`,
    },
    long: attributes,
    short: onePath,
  };
}

/** Plain on http, which is only ever loopback: browsers refuse the prefix there. */
export function cookieName(name: string, publicUrl: string): string {
  return publicUrl.startsWith('https:') ? `__Host-${name}` : name;
}

/** The value of a cookie in a Cookie header, or null. The first counts, as in the `cookies` package. */
export function cookieValue(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value ?? '';
  }
  return null;
}
