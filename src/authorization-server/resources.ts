import type { ProtectedResource } from './authorization-server.ts';

/**
 * The configured spelling of a requested resource (RFC 8707 section 2). One trailing slash more or less is accepted,
 * because URL libraries add it to an origin; anything looser is another resource.
 * @param requested attacker-controlled
 * @returns the configured string, or null for a resource that is not ours
 */
export function canonicalResource(requested: string, resources: readonly ProtectedResource[]): string | null {
  const wanted = withoutTrailingSlash(requested);
  const found = resources.find(({ resource }) => withoutTrailingSlash(resource) === wanted);
  return found?.resource ?? null;
}

function withoutTrailingSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}
