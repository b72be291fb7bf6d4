import { isIPv4, isIPv6 } from 'node:net';

/** Where everything is counted that has no address that can be read. */
const unknownAddress = 'unknown';

/**
 * What an address counts as: an IPv4 address as it is, however it is written in IPv6 (mapped, `::ffff:0:0/96`, or
 * through NAT64, `64:ff9b::/96`, where half the Internet shares one /64); of other IPv6 addresses the /64, because one
 * subscriber has all of it.
 * @param address of the socket, or forwarded: then a proxy vouches for it, and text that is no address is `unknown`
 */
export function addressGroup(address: string | undefined): string {
  if (address === undefined) return unknownAddress;
  if (isIPv4(address)) return address;
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return unknownAddress;
  const groups = expand(plain);
  if (isEmbeddedIPv4(groups)) return dotted(groups);
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight groups of a valid IPv6 address (RFC 4291 section 2.2). */
function expand(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function isEmbeddedIPv4(groups: readonly number[]): boolean {
  const prefix = groups.slice(0, 6).join(',');
  return prefix === '0,0,0,0,0,65535' || prefix === '100,65435,0,0,0,0';
}

function dotted(groups: readonly number[]): string {
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 255])
    .join('.');
}
