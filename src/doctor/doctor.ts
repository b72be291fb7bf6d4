import type { Clock } from '../base/index.ts';
import { type Outbound, reachesPrivateAddress } from '../outbound/index.ts';
import { canRegister, inspectorOrigin, wishes } from './client-checks.ts';
import { discoveryChecks } from './discovery-checks.ts';
import type { Finding, Subject } from './finding.ts';
import { recogniseProvider } from './identity-providers.ts';
import { type ClientProfile, clientProfiles } from './profiles.ts';
import { createVisitor, type Visit, type Visited } from './visit.ts';
import { type Walk, walk } from './walk.ts';

/** `when public`: nothing is wrong but that the client's cloud cannot reach a private address. */
export type Verdict = 'connects' | 'when public' | 'fails';

export interface Diagnosis {
  readonly id: string;
  readonly name: string;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  /** What it fetched, in order. Status 0: no answer. */
  readonly steps: readonly { readonly method: string; readonly url: string; readonly status: number }[];
}

/** Texts in it come from the server that was asked: whoever prints them makes them safe. */
export interface Report {
  readonly url: string;
  /** The server asks nobody to sign in: every client connects, and so does everybody else. */
  readonly open: boolean;
  readonly scopes: readonly string[];
  readonly issuer: string | null;
  readonly provider: { readonly name: string; readonly hint: string } | null;
  readonly clients: readonly Diagnosis[];
}

/** Walks discovery as each client would, without a token, and says which will connect. */
export async function diagnose(
  target: URL,
  { outbound, clock }: { readonly outbound: Outbound; readonly clock: Clock },
): Promise<Report> {
  const isLocal = await reachesPrivateAddress(target);
  const trust = isLocal ? 'configured' : 'anyone';
  const visit = createVisitor({ exchange: (wanted) => outbound.exchange(wanted), trust, clock });
  const walks: Walk[] = [];
  const clients: Diagnosis[] = [];
  for (const profile of clientProfiles) {
    const subject = { profile, target, walk: await walkAs(profile, target, visit) };
    walks.push(subject.walk);
    clients.push(diagnosisOf(subject, isLocal));
  }
  const issuer = walks.find((one) => one.serverMetadata !== null)?.issuer ?? walks[0]?.issuer ?? null;
  return {
    url: target.href,
    open: walks.every(isOpen),
    scopes: walks[0]?.challenge?.scopes ?? [],
    issuer,
    provider: issuer === null ? null : recogniseProvider(issuer),
    clients,
  };
}

async function walkAs(profile: ClientProfile, target: URL, visit: Visit): Promise<Walk> {
  const came = await walk(profile, target, visit);
  if (!profile.wishes.includes('cross-origin')) return came;
  const preflight = await visit({
    method: 'OPTIONS',
    url: target.href,
    headers: {
      origin: inspectorOrigin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,mcp-protocol-version',
    },
  });
  return { ...came, steps: [...came.steps, preflight] };
}

function isOpen({ opening }: Walk): boolean {
  return opening.status >= 200 && opening.status < 300;
}

function diagnosisOf(subject: Subject, isLocal: boolean): Diagnosis {
  const { profile, walk: came } = subject;
  const findings = isOpen(came) ? [] : findingsOf(subject);
  const fails = findings.some(({ blocks }) => blocks);
  const waits = isLocal && profile.calls === 'from a cloud';
  return {
    id: profile.id,
    name: profile.name,
    verdict: fails ? 'fails' : waits ? 'when public' : 'connects',
    findings,
    steps: came.steps.map(({ method, url, status }: Visited) => ({ method, url, status })),
  };
}

function findingsOf(subject: Subject): Finding[] {
  for (const check of discoveryChecks) {
    const finding = check(subject);
    if (finding !== null) return [finding];
  }
  const checks = [canRegister, ...subject.profile.wishes.map((wish) => wishes[wish])];
  return checks.map((check) => check(subject)).filter((finding) => finding !== null);
}
