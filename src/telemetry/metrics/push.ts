import { type Clock, type Log, messageOf } from '../../base/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import { type Collector, postOtlp, signalUrl } from '../otlp/post.ts';
import type { KeyValue } from '../otlp/values.ts';
import { metricsRequest } from './encode.ts';
import type { Metric } from './registry.ts';

export interface PushOptions {
  readonly collector: Collector;
  readonly everyMs: number;
  readonly resource: readonly KeyValue[];
  readonly collect: () => readonly Metric[];
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Push {
  /** Requests without success so far. */
  failures(): number;
  /** Sends the last numbers, for at most `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** Sends all numbers again and again. They are sums from the start on, so one that is lost needs no second attempt. */
export function pushMetrics(options: PushOptions): Push {
  const { everyMs, resource, collect, clock, log } = options;
  const collector = { ...options.collector, url: signalUrl(options.collector.url, 'metrics') };
  const startedAt = clock.now();
  let failures = 0;
  let failing = false;
  let running: Promise<void> | null = null;

  function note(reason: string | null): void {
    if (reason !== null) failures += 1;
    if (failing === (reason !== null)) return;
    failing = reason !== null;
    if (reason === null) log.info({}, 'metrics are taken again');
    else log.warn({ reason: reason.slice(0, 300) }, 'metrics cannot be exported');
  }
  async function send(): Promise<void> {
    try {
      const request = metricsRequest(collect(), { resource, startedAt, now: clock.now() });
      const posted = await postOtlp(collector, request, options);
      note(posted.taken ? null : posted.message);
    } catch (error) {
      note(messageOf(error));
    }
  }
  /** One at a time: a collector that hangs does not make them pile up. */
  function start(): Promise<void> {
    running ??= send().finally(() => {
      running = null;
    });
    return running;
  }

  const timer = setInterval(() => void start(), everyMs).unref();
  return {
    failures: () => failures,
    async close(withinMs) {
      clearInterval(timer);
      let late: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        late = setTimeout(resolve, withinMs);
      });
      await Promise.race([Promise.resolve(running).then(start), deadline]);
      clearTimeout(late);
    },
  };
}
