import { timestamp } from '../base/index.ts';
import type { CommandContext } from './command.ts';

export interface CommandEvent {
  readonly event: string;
  readonly client_id?: string | null;
  readonly subject?: string | null;
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** Into the trail of the gateway, to which several processes may write. */
export async function recordEvent(
  directory: string,
  { clock }: CommandContext,
  { event, client_id = null, subject = null, data }: CommandEvent,
): Promise<void> {
  const { createAuditTrail } = await import('../audit/index.ts');
  const { silentLog } = await import('../base/index.ts');
  const trail = await createAuditTrail({ dataDir: directory, clock, log: silentLog });
  trail.event({ timestamp: timestamp(clock.now()), event, client_id, subject, data });
  await trail.close();
}
