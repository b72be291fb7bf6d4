import type { AuditTrail } from '../audit/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { CallsInFlight } from '../pipeline/index.ts';
import { openStopFile, openStops, type Stop, type Stops, sharedStops } from '../stops/index.ts';
import type { RedisConnection } from '../store/index.ts';
import { tellIn } from './events.ts';

export interface KillSwitchParts {
  readonly audit: AuditTrail;
  readonly inFlight: CallsInFlight;
  readonly redis: RedisConnection | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** The kill switch of this process: what is stopped ends, and the trail says that it was. */
export async function openKillSwitch(config: Config, parts: KillSwitchParts): Promise<Stops> {
  const { audit, inFlight, redis, clock, log } = parts;
  const tell = tellIn(audit, clock);
  const stops = await openStops({
    file: openStopFile(config.data),
    shared: redis && sharedStops(redis),
    clock,
    log,
    onState: ({ place, readable, detail }) =>
      tell(readable ? 'kill_switch.readable' : 'kill_switch.unreadable', { data: { place, detail } }),
  });
  stops.onChange(({ stopped, resumed }) => {
    const ended = inFlight.endStopped();
    for (const stop of stopped) tell('kill_switch.applied', { data: { ...named(stop), ended_calls: ended } });
    for (const stop of resumed) tell('kill_switch.lifted', { data: named(stop) });
  });
  return stops;
}

function named({ id, kind, name }: Stop): Record<string, string> {
  return { stop_id: id, kind, name };
}
