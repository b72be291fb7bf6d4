import { checkCopies } from './audit-also.ts';
import { checkConnect } from './connect.ts';
import { checkExchange } from './exchange.ts';
import type { Finding } from './faults.ts';
import { checkIssuers } from './issuers.ts';
import { checkMachines } from './machines.ts';
import { checkObserve } from './observe.ts';
import { checkRules } from './rules.ts';
import type { FileConfig, PartialFileConfig } from './schema.ts';
import { checkSignIn } from './sign-in.ts';
import { checkStaticKeys } from './static-keys.ts';
import { checkTelemetry } from './telemetry.ts';
import { isLoopback } from './values.ts';

/**
 * What holds between values. Runs on the sections that could be read, so that a fault in one does not hide another.
 * Pure: reads no file and no environment.
 */
export function checkTogether(config: PartialFileConfig): Finding[] {
  return [
    ...checkExposure(config),
    ...checkPaths(config.servers),
    ...checkAssertions(config.servers),
    ...checkConnect(config),
    ...checkCopies(config),
    ...checkExchange(config),
    ...checkRules(config),
    ...checkAuth(config),
    ...checkObserve(config),
    ...checkStaticKeys(config.servers),
    ...checkTelemetry(config),
  ];
}

/** The path of a server's MCP endpoint: `/mcp` for an only server, `/NAME/mcp` for one of several. */
export function serverPathOf(name: string, servers: FileConfig['servers']): string {
  return servers[name]?.path ?? (Object.keys(servers).length === 1 ? '/mcp' : `/${name}/mcp`);
}

/** Plain HTTP leaves the machine only towards a proxy that was named. */
function checkExposure({ listen, tls, trustedProxies, publicUrl }: PartialFileConfig): Finding[] {
  const findings: Finding[] = [];
  const plain = listen && tls === undefined && trustedProxies?.length === 0;
  if (plain && !isLoopback(listen.host)) {
    findings.push({
      path: ['listen', 'host'],
      message: 'would serve plain http beyond this machine',
      hint: 'add tls (--tls-cert, --tls-key), or trustedProxies (--trusted-proxy) where TLS ends at a proxy, or listen on 127.0.0.1',
    });
  }
  if (tls && publicUrl?.startsWith('http:')) {
    const hint = `write ${publicUrl.replace('http:', 'https:').replace(/\/$/, '')}`;
    findings.push({ path: ['publicUrl'], message: 'is http although tls is set', hint });
  }
  if (plain && publicUrl?.startsWith('https:')) {
    findings.push({
      path: ['publicUrl'],
      message: 'is https, but nothing here says where TLS ends',
      hint: 'add tls (--tls-cert, --tls-key), or for a proxy or tunnel on this machine trustedProxies: [127.0.0.1/32] (--trusted-proxy 127.0.0.1/32)',
    });
  }
  return findings;
}

function checkPaths(servers: FileConfig['servers'] | undefined): Finding[] {
  const owners = new Map<string, string>();
  return Object.keys(servers ?? {}).flatMap((name): Finding[] => {
    const path = serverPathOf(name, servers ?? {});
    const owner = owners.get(path);
    owners.set(path, owner ?? name);
    if (owner === undefined) return [];
    return [
      {
        path: ['servers', name, 'path'],
        message: `is the path of ${owner} too`,
        hint: `give each its own, such as /${name}/mcp`,
      },
    ];
  });
}

/** One header cannot be both a fixed credential and the assertion. */
function checkAssertions(servers: FileConfig['servers'] | undefined): Finding[] {
  return Object.entries(servers ?? {}).flatMap(([name, { upstream }]): Finding[] => {
    if (!('url' in upstream) || upstream.assertion === undefined) return [];
    const own = upstream.assertion.header.toLowerCase();
    const clash = Object.keys(upstream.headers).find((header) => header.toLowerCase() === own);
    const path = ['servers', name, 'upstream', 'assertion', 'header'];
    return clash ? [{ path, message: 'is among the headers too', hint: 'choose another' }] : [];
  });
}

function checkAuth({ auth, publicUrl, servers }: PartialFileConfig): Finding[] {
  if (!auth) return [];
  const findings = auth.embedded
    ? [...checkSignIn(auth.embedded, publicUrl), ...checkMachines(auth.embedded, servers)]
    : [];
  if (auth.embedded === false && auth.issuers.length === 0) {
    const hint = 'add auth.issuers, or remove embedded: false';
    findings.push({
      path: ['auth', 'embedded'],
      message: 'is off and no issuer replaces it: nobody could sign in',
      hint,
    });
  }
  findings.push(...checkIssuers(auth.issuers), ...checkProofs(auth, servers));
  const own = `${publicUrl?.replace(/\/$/, '')}/oauth`;
  auth.issuers.forEach(({ issuer }, index) => {
    const path = ['auth', 'issuers', index, 'issuer'];
    if (auth.issuers.findIndex((other) => other.issuer === issuer) < index) {
      findings.push({ path, message: 'is listed twice', hint: 'put both audiences into one entry' });
    }
    if (issuer === own)
      findings.push({
        path,
        message: 'is the name of the embedded authorization server',
        hint: 'remove the entry',
      });
  });
  return findings;
}

/** A server that takes bound tokens alone, or none, beside an authorization server that does the contrary. */
function checkProofs(auth: FileConfig['auth'], servers: FileConfig['servers'] | undefined): Finding[] {
  if (!auth.embedded || auth.issuers.length > 0) return [];
  const { dpop: issued } = auth.embedded;
  return Object.entries(servers ?? {}).flatMap(([name, { dpop }]): Finding[] => {
    const contrary = (dpop === 'required' && issued === 'off') || (dpop === 'off' && issued === 'required');
    if (!contrary) return [];
    const message = `is ${dpop}, and auth.embedded.dpop is ${issued}: no token would be accepted`;
    return [{ path: ['servers', name, 'dpop'], message, hint: 'write allowed in one of the two places' }];
  });
}
