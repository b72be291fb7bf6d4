import { createAlerts } from '../alerts/index.ts';
import type { AuditTrail } from '../audit/index.ts';
import { type Clock, type Log, messageOf } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import {
  configurationKey,
  mostSeen,
  openSeenStore,
  rules,
  type SeenStore,
  seenInMemory,
  Watcher,
} from '../detections/index.ts';
import type { Outbound } from '../outbound/index.ts';

/** Detections and alerts beside the trail. */
export interface Watch {
  /**
   * The trail that everybody else writes to: what it is given is watched. Closing it reads what waits, gives alerts a
   * moment, and closes the trail below; the way out must still be open.
   */
  readonly trail: AuditTrail;
  use(config: Config): void;
}

export interface WatchParts {
  readonly trail: AuditTrail;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
}

export function createWatch(config: Config, { trail, outbound, clock, log }: WatchParts): Watch {
  const record: AuditTrail['event'] = (event) => trail.event(event);
  const alerts = createAlerts({ outbound, clock, log, record, gateway: config.publicUrl });
  const seen = seenStore(config.data, log);
  const watcher = new Watcher({ clock, log, seen, record, alert: (detection) => alerts.send(detection) });
  const use = (now: Config): void => {
    watcher.configure(now.detections);
    alerts.use(now.alerts.webhook);
  };
  use(config);
  return {
    trail: {
      ...watcher.observed(trail),
      async close() {
        watcher.close();
        await alerts.close();
        await trail.close();
      },
    },
    use,
  };
}

/** What was seen only makes detections quieter: without it the gateway serves, and says so. */
function seenStore(dataDir: string, log: Log): SeenStore {
  try {
    return openSeenStore(dataDir, mostSeen);
  } catch (error) {
    log.error({ detail: messageOf(error) }, 'detections.db cannot be used: everybody is new until it can');
    return seenInMemory;
  }
}

/** Thresholds that see less than they would by default: nothing is made deaf without a word. */
export function weakenedDetections(config: Config): string[] {
  return rules.flatMap((rule) => {
    const key = configurationKey(rule.id);
    const set = config.detections[key];
    if (!set || rule.count === 1 || set.count / set.withinMs <= rule.count / rule.withinMs) return [];
    return [
      `detections.${key} tells of ${set.count} in ${set.withinMs / 1000} s only; by default of ${rule.count} in ${rule.withinMs / 1000} s`,
    ];
  });
}
