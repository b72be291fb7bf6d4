import { BlockList, isIP } from 'node:net';

/**
 * Addresses that a URL from outside must never reach: this machine, its network, the cloud's metadata service
 * (IANA special-purpose registries). IPv4 inside of IPv6 (mapped, NAT64, 6to4, Teredo) is never public, whatever it holds.
 */
const blocked = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  blocked.addSubnet(network, prefix, 'ipv4');
}

/** Global unicast is 2000::/3; everything else is special, and within it the transition and documentation blocks are. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const specialUnicast = new BlockList();
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  specialUnicast.addSubnet(network, prefix, 'ipv6');
}

/** @param address an IP address in text; anything else is not public */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !blocked.check(address, 'ipv4');
  // A zone (`%eth0`) picks an interface of this machine: no address from outside has one.
  if (family !== 6 || address.includes('%')) return false;
  return globalUnicast.check(address, 'ipv6') && !specialUnicast.check(address, 'ipv6');
}
