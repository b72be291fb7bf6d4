import type { AuditEvent, AuditTrail } from '../audit/index.ts';
import { type Clock, type Log, messageOf, timestamp } from '../base/index.ts';
import { Budget } from './budget.ts';
import { type Detection, detectionOf, eventOf } from './detection.ts';
import { Engine, type Thresholds } from './engine.ts';
import type { Observation } from './observation.ts';
import type { Severity } from './rule.ts';
import { rules } from './rules.ts';
import { Seen, type SeenStore } from './seen.ts';

export interface WatcherOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly seen: SeenStore;
  /** Where detections are recorded: the trail itself, not the observed one, or they would be observed again. */
  readonly record: (event: AuditEvent) => void;
  /** Who is told. Must not throw and must not wait. */
  readonly alert: (detection: Detection) => void;
  readonly maxKeys?: number;
  readonly maxQueue?: number;
  readonly alertsPerHour?: number;
}

const mostPerTurn = 500;
export const mostSeen = 100_000;
const flushMs = 10_000;
/** Events that nobody gives to the trail: it writes them itself. */
const writtenByTheTrail: ReadonlySet<string> = new Set(['audit.recovered']);
const loudness: Readonly<Record<Severity, 'info' | 'warn' | 'error'>> = {
  low: 'info',
  medium: 'warn',
  high: 'warn',
  critical: 'error',
};

/**
 * Reads the stream of records beside the trail and tells what the rules find. A record is put into a bounded queue, which is
 * all that a call waits for; the rules run in turns of their own.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #engine: Engine;
  readonly #seen: Seen;
  readonly #budget: Budget;
  readonly #maxQueue: number;
  readonly #timer: NodeJS.Timeout;
  #queue: Observation[] = [];
  #isScheduled = false;
  #unread = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#seen = new Seen(options.seen, mostSeen);
    this.#engine = new Engine({ rules, seen: this.#seen, maxKeys: options.maxKeys ?? 10_000 });
    this.#budget = new Budget(options.alertsPerHour ?? 20);
    this.#maxQueue = options.maxQueue ?? 20_000;
    this.#timer = setInterval(() => this.#tidy(), flushMs);
    this.#timer.unref();
  }

  configure(thresholds: Thresholds): void {
    this.#engine.configure(thresholds);
  }

  /** The trail as others see it: what is given to it is watched too. */
  observed(trail: AuditTrail): AuditTrail {
    trail.subscribe(({ record }) => {
      if (record.phase === 'event' && writtenByTheTrail.has(record.event)) this.#add({ on: 'event', record });
    });
    return {
      ...trail,
      intent: (record, about) => trail.intent(record, about),
      outcome: (record) => {
        trail.outcome(record);
        this.#add({ on: 'call', record });
      },
      event: (event) => {
        trail.event(event);
        this.#add({ on: 'event', record: event });
      },
      subscribe: (listener) => trail.subscribe(listener),
      healthy: () => trail.healthy(),
      flush: () => trail.flush(),
      close: () => trail.close(),
    };
  }

  /** Reads what waits and keeps what was seen. Before the trail is closed. */
  close(): void {
    clearInterval(this.#timer);
    while (this.#queue.length > 0) this.#read();
    this.#tidy();
    try {
      this.#seen.close();
    } catch (error) {
      this.#options.log.warn({ detail: messageOf(error) }, 'what the detections have seen was not kept');
    }
  }

  #add(observation: Observation): void {
    if (this.#queue.length >= this.#maxQueue) {
      this.#unread += 1;
      return;
    }
    this.#queue.push(observation);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#read();
    this.#isScheduled = this.#queue.length > 0;
    if (this.#isScheduled) setImmediate(() => this.#run());
  }

  #read(): void {
    const { clock, log } = this.#options;
    const times = { now: clock.monotonic(), epoch: clock.now() };
    const batch = this.#queue.splice(0, mostPerTurn);
    for (const observation of batch) {
      try {
        for (const finding of this.#engine.observe(observation, times)) {
          const kind = `${finding.rule.id} by ${Object.keys(finding.key).join(' ') || 'all'}`;
          this.#tell(detectionOf(finding, times.epoch), this.#budget.spend(kind, times.now));
        }
      } catch (error) {
        log.error({ detail: messageOf(error) }, 'a record could not be looked at for detections');
      }
    }
  }

  #tell(detection: Detection, isAlert: boolean): void {
    const { record, log, alert } = this.#options;
    record(eventOf(detection));
    if (!isAlert) return;
    const { client_id, subject, address, data } = detection;
    log[loudness[detection.severity]](
      { detection: detection.detection, client_id, subject, address, ...data },
      detection.title,
    );
    alert(detection);
  }

  /** Keeps what was seen, and says what was not looked at or not told: a flood must not hide itself. */
  #tidy(): void {
    try {
      this.#seen.flush();
    } catch (error) {
      this.#options.log.warn({ detail: messageOf(error) }, 'what the detections have seen is not kept');
    }
    if (this.#unread > 0) {
      this.#own('overrun', 'More records than the detections could read', { count: this.#unread });
      this.#unread = 0;
    }
    for (const { rule, keys } of this.#engine.takeDropped()) {
      this.#own('crowded', 'More callers than a detection can tell apart', { rule: rule.id, count: keys });
    }
    for (const { kind, held } of this.#budget.takeHeld()) {
      this.#own('held_back', 'More detections than are told of one by one', { rule: kind, count: held });
    }
  }

  #own(detection: string, title: string, data: Readonly<Record<string, string | number>>): void {
    const { clock } = this.#options;
    const told = { time: timestamp(clock.now()), detection, title, severity: 'high' } as const;
    const nobody = { client_id: null, subject: null, address: null };
    const isAlert = this.#budget.spend(`${detection} ${data['rule'] ?? ''}`, clock.monotonic());
    this.#tell({ ...told, ...nobody, data: { severity: told.severity, ...data } }, isAlert);
  }
}
