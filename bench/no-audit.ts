import type { OpenAuditTrail } from '../src/audit/index.ts';
import type { OrphanWatch } from '../src/gateway/orphans.ts';

const nothing = { capture: 'hash', arguments_hash: null, arguments: null, redactions: null } as const;

/** In the place of src/gateway/wire-audit.ts: what a call would cost without its records. */
export async function openAudit(): Promise<OpenAuditTrail> {
  return {
    intent: () => Promise.resolve(),
    outcome: () => {},
    event: () => {},
    capture: () => nothing,
    hashResult: () => ({ update: () => {}, digest: () => '' }),
    reference: () => '',
    subscribe: () => () => {},
    healthy: () => true,
    flush: () => Promise.resolve(),
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
    writer: '',
    file: '',
    waiting: () => 0,
    copies: () => [],
    sealed: () => Promise.resolve(),
  };
}

/** In the place of src/gateway/orphans.ts. */
export async function reportOrphans(): Promise<OrphanWatch> {
  return { done: Promise.resolve(), stop: () => {} };
}
