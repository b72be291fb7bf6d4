import { lookup } from 'node:dns/promises';
import { isPublicAddress } from './address.ts';

/** The MCP endpoint as people type it. @returns null for what is none */
export function readTarget(text: string): URL | null {
  const url = text.length > 2048 ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.username === '' && url.password === '' && url.hash === '' ? url : null;
}

/** Whether any address of it is not public: whoever typed that may be led to private addresses, nobody else. */
export async function reachesPrivateAddress(target: URL): Promise<boolean> {
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const addresses = await lookup(host, { all: true }).catch(() => []);
  return addresses.some(({ address }) => !isPublicAddress(address));
}
