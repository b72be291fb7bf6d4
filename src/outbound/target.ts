import { lookup } from 'node:dns/promises';
import { isPublicAddress } from './address.ts';

/** The MCP endpoint as people type it. @returns null for what is none */
export function readTarget(text: string): URL | null {
  const url = text.length > 2048 ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.username === '' && url.password === '' && url.hash === '' ? url : null;
}

/**
 * The addresses of a private target: whoever typed that may be led to private addresses, nobody else. None where one of them is
 * public: a name with addresses of both kinds would lead others there.
 */
export async function privateAddressesOf(target: URL): Promise<readonly string[]> {
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(host, { all: true }).catch(() => []);
  const addresses = found.map(({ address }) => address);
  return addresses.some(isPublicAddress) ? [] : addresses;
}

export async function reachesPrivateAddress(target: URL): Promise<boolean> {
  return (await privateAddressesOf(target)).length > 0;
}
