import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Who is at the other end of the connection, as far as the network tells. */
export interface Peer {
  /** The client's address: the socket's, or what a trusted proxy says. */
  readonly address: string;
  readonly throughTrustedProxy: boolean;
  /** TLS ends here, or at a trusted proxy that says so. */
  readonly encrypted: boolean;
}

export type PeerReader = (request: IncomingMessage) => Peer;

/** X-Forwarded-* is read from declared proxies alone; from anybody else it is text of the caller. */
export function createPeerReader(trustedProxies: readonly string[]): PeerReader {
  const trusted = new BlockList();
  for (const block of trustedProxies) {
    const [network = '', prefix] = block.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    trusted.addSubnet(network, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  const isTrusted = (address: string): boolean => {
    const family = isIP(address);
    return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
  return (request) => {
    const socketAddress = plain(request.socket.remoteAddress ?? '');
    const encrypted = 'encrypted' in request.socket && request.socket.encrypted === true;
    if (trustedProxies.length === 0 || !isTrusted(socketAddress)) {
      return { address: socketAddress, throughTrustedProxy: false, encrypted };
    }
    return {
      address: clientOf(request.headers['x-forwarded-for'], isTrusted) ?? socketAddress,
      throughTrustedProxy: true,
      encrypted: encrypted || lastOf(request.headers['x-forwarded-proto']) === 'https',
    };
  };
}

/** The last address that no trusted proxy owns: everything before it could have been sent by the client. */
function clientOf(
  header: string | string[] | undefined,
  isTrusted: (address: string) => boolean,
): string | null {
  const hops = String(header ?? '')
    .split(',')
    .map((hop) => plain(hop.trim()));
  for (const hop of hops.reverse()) {
    if (isIP(hop) === 0) return null;
    if (!isTrusted(hop)) return hop;
  }
  return null;
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return String(header ?? '')
    .split(',')
    .at(-1)
    ?.trim()
    .toLowerCase();
}

/** An IPv4 address that came to an IPv6 socket, as what it is. */
export function plain(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
