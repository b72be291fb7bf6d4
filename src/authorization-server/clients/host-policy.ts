import type { HostPolicy } from '../../config/index.ts';

/** Whether clients that are described on this host are dealt with. `deny` goes first; hosts are compared without port. */
export function isTrustedHost(host: string, policy: boolean | HostPolicy): boolean {
  if (typeof policy === 'boolean') return policy;
  const plain = host.toLowerCase().replace(/\.$/, '');
  const matches = (pattern: string) => matchesHost(plain, pattern);
  return !policy.deny.some(matches) && policy.allow.some(matches);
}

/** `example.com` is that host alone; `*.example.com` is every host below it, and not itself. */
function matchesHost(host: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}
