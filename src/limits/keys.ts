import { sha256Hex } from '../base/index.ts';
import type { LimitsConfig } from '../config/index.ts';
import type { Principal } from '../identity/index.ts';
import type { Decision } from '../policy/index.ts';
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

/**
 * The ceilings that a call has to pass. Keys are made of who calls, as the issuer says, and of nothing that a
 * caller can renew: a refreshed token, a new registration, session or address counts on where the old one stood.
 */
export function limitDemands(call: LimitedCall): LimitDemand[] {
  const { limits, decision, principal } = call;
  const demands: LimitDemand[] = [];
  if (limits.client) demands.push(demand('client', principal.subjectKey, limits.client));
  if (decision.limit && call.tool !== null) {
    const name = `${call.server}:${call.tool.length}:${call.tool}:${principal.subjectKey}`;
    demands.push(demand('tool', name, decision.limit));
  }
  if (limits.organization) {
    const name = `${principal.issuer.length}:${principal.issuer}:${principal.organization}`;
    demands.push(demand('organization', name, limits.organization));
  }
  return demands;
}

const longestKey = 96;

/**
 * Unambiguous: what may hold any character carries its length or comes last. Long names are hashed, so that a key
 * has a largest size; `#` instead of `:` keeps the two kinds apart.
 */
function demand(layer: LimitDemand['layer'], name: string, limit: LimitDemand['limit']): LimitDemand {
  const key = name.length <= longestKey ? `${layer}:${name}` : `${layer}#${sha256Hex(name)}`;
  return { layer, key, limit };
}
