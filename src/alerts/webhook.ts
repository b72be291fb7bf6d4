import type { AuditEvent } from '../audit/index.ts';
import { type Clock, type Log, messageOf, type Secret, timestamp } from '../base/index.ts';
import { backOffMs, type Outbound, retryAfterMs, signWebhook } from '../outbound/index.ts';
import type { Alert } from './alert.ts';
import { AlertQueue } from './queue.ts';

export interface WebhookTarget {
  readonly url: string;
  readonly secret: Secret;
}

export interface WebhookOptions {
  readonly target: WebhookTarget;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
  /** For `alerts.failing` and `alerts.recovered`. */
  readonly record: (event: AuditEvent) => void;
  /** Bounds and times, for tests. */
  readonly firstRetryMs?: number;
  readonly maxQueue?: number;
  readonly maxAttempts?: number;
}

const slowestRetryMs = 5 * 60_000;
const timeoutMs = 10_000;
const closeWithinMs = 2_000;

/** What the receiver said to one attempt. */
type Answer =
  | { readonly kind: 'taken' }
  /** It will say the same next time: its own fault or ours, but not one that time mends. */
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string; readonly retryMs: number | null };

/** Sends alerts one after the other, again where that may help. Nothing waits for it. */
export class AlertWebhook {
  readonly #options: WebhookOptions;
  readonly #queue: AlertQueue;
  #isSending = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #isFailing = false;
  #lost = 0;
  #idle: (() => void)[] = [];

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#queue = new AlertQueue(options.maxQueue ?? 500);
  }

  send(alert: Alert): void {
    if (this.#isClosed) return;
    if (this.#queue.add(alert) !== null) {
      this.#lost += 1;
      if (Number.isInteger(Math.log2(this.#lost)))
        this.#options.log.error({ lost: this.#lost }, 'alerts find no room');
    }
    this.#start();
  }

  /** Sends what waits, for two seconds at most. What is left is in the audit trail. */
  async close(): Promise<void> {
    if (!this.#isFailing && (this.#isSending || this.#queue.size > 0)) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.#idle.push(resolve)),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, closeWithinMs);
        }),
      ]);
      clearTimeout(timer);
    }
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#queue.size > 0) this.#options.log.error({ unsent: this.#queue.size }, 'alerts were not sent');
  }

  #start(): void {
    if (this.#isSending || this.#isClosed || this.#timer) return;
    this.#isSending = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let waitMs: number | null = null;
    while (waitMs === null && !this.#isClosed) {
      const alert = this.#queue.take();
      if (!alert) break;
      waitMs = this.#settle(alert, await attempt(alert, this.#options));
    }
    this.#isSending = false;
    if (this.#isClosed) return;
    if (waitMs === null) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, waitMs);
    this.#timer.unref();
  }

  /** @returns how long to wait before the next attempt; null: go on */
  #settle(alert: Alert, answer: Answer): number | null {
    if (answer.kind === 'taken') {
      this.#attempts = 0;
      this.#recovered();
      return null;
    }
    this.#attempts += 1;
    this.#failing(answer.detail);
    const most = answer.kind === 'refused' ? 3 : (this.#options.maxAttempts ?? 20);
    if (this.#attempts >= most) {
      this.#attempts = 0;
      this.#lost += 1;
      this.#options.log.error({ id: alert.id, detail: answer.detail }, 'an alert was given up');
      return null;
    }
    this.#queue.putBack(alert);
    const firstMs = this.#options.firstRetryMs ?? 1_000;
    const own = backOffMs(this.#attempts, { firstMs, slowestMs: slowestRetryMs }, Math.random());
    return Math.max(own, (answer.kind === 'failed' ? answer.retryMs : null) ?? 0);
  }

  #failing(detail: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { log } = this.#options;
    log.error({ detail }, 'alerts cannot be delivered');
    this.#tell('alerts.failing', { detail });
  }

  #recovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#tell('alerts.recovered', { lost: this.#lost });
    this.#lost = 0;
  }

  #tell(event: string, data: Readonly<Record<string, string | number>>): void {
    const { record, clock } = this.#options;
    record({ timestamp: timestamp(clock.now()), event, data });
  }
}

/** One attempt. The detail names the host and a status, never what the receiver wrote. */
export async function attempt(
  { id, body }: Alert,
  { target, outbound, clock }: Pick<WebhookOptions, 'target' | 'outbound' | 'clock'>,
): Promise<Answer> {
  const signed = signWebhook({ id, body, now: clock.now() }, target.secret);
  try {
    const answer = await outbound.exchange({
      url: target.url,
      trust: 'configured',
      timeoutMs,
      maxBytes: 64 * 1024,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signed },
      body,
    });
    const { status } = answer;
    if (status >= 200 && status < 300) return { kind: 'taken' };
    const detail = `${new URL(target.url).host} answered with status ${status}`;
    const isForGood = status >= 300 && status < 500 && status !== 408 && status !== 429;
    if (isForGood) return { kind: 'refused', detail };
    return { kind: 'failed', detail, retryMs: retryAfterMs(answer.headers.get('retry-after'), clock.now()) };
  } catch (error) {
    return { kind: 'failed', detail: messageOf(error), retryMs: null };
  }
}
