import { createHash } from 'node:crypto';
import type { LimitsConfig } from '../config/index.ts';
import type { Principal } from '../identity/index.ts';
import type { Decision, RateLimit } from '../policy/index.ts';
import type { LimitDemand } from './limiter.ts';

export interface LimitedCall {
  readonly limits: Pick<LimitsConfig, 'client' | 'organization'>;
  readonly decision: Extract<Decision, { allow: true }>;
  readonly principal: Pick<Principal, 'issuer' | 'organization' | 'subjectKey'>;
  /** Name of the server in the configuration: `[a-z0-9-]+`. */
  readonly server: string;
  /** Name of the tool called; null for every other operation. */
  readonly tool: string | null;
}

type Caller = LimitedCall['principal'];

/**
 * The ceilings that a call has to pass. Keys are made of who calls, as the issuer says, and of nothing that a
 * caller can renew: a refreshed token, a new registration, session or address counts on where the old one stood.
 */
export function limitDemands(call: LimitedCall): LimitDemand[] {
  const { limits, decision, principal, server } = call;
  const who = identify(principal);
  const found: LimitDemand[] = [];
  add(found, limits.client, { layer: 'client', name: who.subject, partition: who.organization });
  if (decision.limit && call.tool !== null) {
    const tool = toolName(server, call.tool);
    const name = `${tool}:${who.subject}`;
    add(found, decision.limit.each, { layer: 'tool', name, partition: who.organization });
    add(found, decision.limit.total, { layer: 'tool_total', name: tool, partition: 'total' });
  }
  add(found, limits.organization, {
    layer: 'organization',
    name: who.organization,
    partition: who.organization,
  });
  return found;
}

interface Counter {
  readonly layer: LimitDemand['layer'];
  readonly name: string;
  readonly partition: string;
}

/** Several rates of one layer have a counter each, told apart by their unit of time. */
function add(found: LimitDemand[], limits: readonly RateLimit[], counter: Counter): void {
  const { layer, name, partition } = counter;
  for (const limit of limits) {
    const key = `${layer}:${name}@${limit.periodMs}`;
    found.push({ layer, key, limit, partition, isOneOfSeveral: limits.length > 1 });
  }
}

interface Identified {
  readonly subject: string;
  readonly organization: string;
}

/** By identity of the object: a verified token has one principal for as long as it is remembered. */
const identified = new WeakMap<Caller, Identified>();

/** What is known of a caller is text of the issuer, of any length; counters, and whoever reads a shared store, get digests. */
function identify(principal: Caller): Identified {
  let names = identified.get(principal);
  if (names === undefined) {
    const { issuer, organization, subjectKey } = principal;
    names = {
      subject: digest(subjectKey),
      organization: digest(`${issuer.length}:${issuer}:${organization}`),
    };
    identified.set(principal, names);
  }
  return names;
}

const longestName = 40;

/** Unambiguous: a server's name has no colon; what is long or has other characters is a digest, which `#` tells apart. */
function toolName(server: string, tool: string): string {
  const name = `${server}:${tool}`;
  return name.length <= longestName && /^[\w.-]*$/.test(tool) ? name : `#${digest(name)}`;
}

/** 144 bits in 24 characters. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 24);
}
