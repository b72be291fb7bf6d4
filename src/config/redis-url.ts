/** Why a secret is no address of a Redis; null when it is one. Never repeats it: it may hold a password. */
export function redisUrlFault(text: string): { readonly message: string; readonly hint: string } | null {
  const hint = 'store one such as rediss://user:password@redis.example.com:6379/0';
  if (!URL.canParse(text)) return { message: 'the secret is no URL', hint };
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  if (protocol !== 'redis:' && protocol !== 'rediss:') {
    return { message: 'the secret is no redis:// or rediss:// URL', hint };
  }
  // Options in a query would be settings that nobody checked.
  const isPlain = hostname !== '' && /^\/?\d{0,4}$/.test(pathname) && search === '' && hash === '';
  return isPlain ? null : { message: 'the secret has more than a host, a port and a database number', hint };
}
