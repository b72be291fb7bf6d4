import type { AuditEvent, AuditTrail } from '../audit/index.ts';
import { type Clock, timestamp } from '../base/index.ts';

/** Puts on record what happened just now. */
export type Tell = (event: string, fields?: Omit<AuditEvent, 'timestamp' | 'event'>) => void;

export function tellIn(audit: AuditTrail, clock: Clock): Tell {
  return (event, fields) => audit.event({ timestamp: timestamp(clock.now()), event, ...fields });
}
