import type { Severity } from './probe.ts';

/** The list is offline and ages: reports say of when it is. */
export const listDate = '25 November 2026';

export interface VulnerableVersion {
  /** As servers announce themselves. */
  readonly name: RegExp;
  /** The first version without the hole. */
  readonly fixed: string;
  readonly advisory: string;
  readonly severity: Severity;
}

export const vulnerable: readonly VulnerableVersion[] = [
  {
    name: /^(@modelcontextprotocol\/sdk|mcp-typescript-sdk)$/i,
    fixed: '1.24.0',
    advisory: 'CVE-2025-66414, DNS rebinding',
    severity: 'high',
  },
  {
    name: /^(@modelcontextprotocol\/sdk|mcp-typescript-sdk)$/i,
    fixed: '1.26.0',
    advisory: 'CVE-2026-25536, answers of others',
    severity: 'high',
  },
  {
    name: /^(mcp|mcp-python-sdk)$/i,
    fixed: '1.23.0',
    advisory: 'CVE-2025-66416, DNS rebinding',
    severity: 'high',
  },
  {
    name: /^(go-sdk|mcp-go-sdk)$/i,
    fixed: '1.4.0',
    advisory: 'CVE-2026-34742, DNS rebinding',
    severity: 'high',
  },
  {
    name: /^(java-sdk|mcp-java-sdk)$/i,
    fixed: '1.0.0',
    advisory: 'CVE-2026-35568, DNS rebinding',
    severity: 'high',
  },
  {
    // The Python framework's name for a server that has none; its own version stands beside it.
    name: /^FastMCP(-[0-9a-f]{4})?$/,
    fixed: '3.2.0',
    advisory: 'CVE-2026-27124 and CVE-2026-32871, sign-in without consent and requests to the inside',
    severity: 'high',
  },
  {
    name: /^mcp-remote$/i,
    fixed: '0.1.16',
    advisory: 'CVE-2025-6514, commands from an authorization server',
    severity: 'critical',
  },
  {
    name: /^(mcp-)?inspector$/i,
    fixed: '0.14.1',
    advisory: 'CVE-2025-49596, commands from a web page',
    severity: 'critical',
  },
];

/** By numbers; what is no version is not older. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string) => text.replace(/^v/, '').split(/[.-]/).slice(0, 3).map(Number);
  const [a, b] = [numbers(version), numbers(than)];
  for (let at = 0; at < 3; at++) {
    const [left = 0, right = 0] = [a[at], b[at]];
    if (Number.isNaN(left)) return false;
    if (left !== right) return left < right;
  }
  return false;
}
