import type { Detection } from '../detections/index.ts';
import { alertOf } from './alert.ts';
import { AlertWebhook, type WebhookOptions, type WebhookTarget } from './webhook.ts';

/** Who is told of detections, beside log and trail. */
export interface Alerts {
  send(detection: Detection): void;
  /** Takes up another receiver; what waits for the old one is given a moment. */
  use(target: WebhookTarget | null): void;
  close(): Promise<void>;
}

export interface AlertsOptions extends Omit<WebhookOptions, 'target'> {
  readonly gateway: string;
}

export function createAlerts(options: AlertsOptions): Alerts {
  let current: { readonly target: WebhookTarget; readonly webhook: AlertWebhook } | null = null;
  return {
    send(detection) {
      current?.webhook.send(alertOf(detection, options.gateway));
    },
    use(target) {
      if (target?.url === current?.target.url && target?.secret.reveal() === current?.target.secret.reveal())
        return;
      void current?.webhook.close();
      current = target && { target, webhook: new AlertWebhook({ ...options, target }) };
    },
    async close() {
      await current?.webhook.close();
    },
  };
}
