import { type AuditTrail, createBoundedEvents, type RefusedRequest, refusedRequest } from '../audit/index.ts';
import { type Clock, timestamp } from '../base/index.ts';
import { addressGroup } from '../limits/index.ts';

/**
 * What is turned away before a server or the authorization server has it, on record within bounds: anybody can cause it. Each
 * resolves when the answer may leave, and never rejects.
 */
export interface Refusals {
  request(refused: RefusedRequest): Promise<void>;
  /** What was sent is no HTTP. @param code of the parser */
  malformed(address: string, code: string): Promise<void>;
  /** Writes what was only counted. */
  close(): void;
}

export function createRefusals(audit: AuditTrail, clock: Clock): Refusals {
  const bounded = createBoundedEvents({
    record: (event) => audit.event(event),
    clock,
    sourceOf: (address) => addressGroup(address ?? undefined),
  });
  const record = (event: ReturnType<typeof refusedRequest>): Promise<void> => {
    bounded.event({ timestamp: timestamp(clock.now()), ...event });
    return audit.settled();
  };
  return {
    request: (refused) => record(refusedRequest(refused)),
    malformed: (address, code) => record({ event: 'http.malformed', address, data: { code } }),
    close: bounded.close,
  };
}
