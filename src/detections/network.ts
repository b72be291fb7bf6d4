import { isIPv4, isIPv6 } from 'node:net';

/**
 * The network of an address: /24 of IPv4, /48 of IPv6, also where IPv4 is written in IPv6 (mapped). Two addresses of one
 * household or office are mostly one network; two people are mostly two. Text that is no address is its own network.
 */
export function networkOf(address: string): string {
  const plain = address.split('%', 1)[0] ?? '';
  const v4 = isIPv4(plain) ? plain : /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (v4 !== undefined) return `${v4.slice(0, v4.lastIndexOf('.'))}.0/24`;
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const filled = tail === undefined ? groups : [...groups, '0', '0', '0'];
  const first = filled.slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16));
  return `${first.join(':')}::/48`;
}
