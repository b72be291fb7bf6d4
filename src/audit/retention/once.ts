import { type Clock, messageOf, OperationError, silentLog, timestamp } from '../../base/index.ts';
import { createAuditTrail } from '../create.ts';
import { readAuditKeys } from '../keys.ts';
import type { AuditStore } from '../read/open.ts';
import { retentionStore } from './open.ts';
import type { Plan } from './plan.ts';
import { type Keep, Retention } from './retention.ts';

export interface Asked {
  readonly keep: Keep;
  readonly clock: Clock;
  /** Who asks, for the record. */
  readonly by: string;
}

/**
 * What `removeOld` would remove now. Changes nothing.
 * @throws OperationError when there is no trail, or no key to verify with
 */
export async function planOld(place: AuditStore, { keep, clock }: Omit<Asked, 'by'>): Promise<Plan> {
  const keys = readAuditKeys(place.dataDir).verifiers;
  const store = retentionStore({ ...place, log: silentLog, self: null, keys });
  try {
    return await store.plan(timestamp(clock.now() - keep.ms));
  } finally {
    await store.close();
  }
}

/**
 * Removes what is older, on record, beside a gateway that runs or without one.
 * @throws OperationError when it cannot; what was not removed yet then goes at the gateway's next start
 */
export async function removeOld(
  place: AuditStore,
  { keep, clock, by }: Asked,
): Promise<{ plan: Plan; removed: number }> {
  const keys = readAuditKeys(place.dataDir).verifiers;
  const trail = await createAuditTrail({ ...place, clock, log: silentLog });
  const store = retentionStore({ ...place, log: silentLog, self: trail.writer, keys });
  const retention = new Retention({
    ...{ store, keep, by, clock, log: silentLog },
    tell: trail.event,
    sealed: trail.sealed,
  });
  try {
    return await retention.run();
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(`old entries cannot be removed: ${messageOf(error)}`, { cause: error });
  } finally {
    await retention.stop();
    await trail.close();
  }
}
