import { createHmac } from 'node:crypto';
import type { Secret } from '../base/index.ts';

/**
 * Headers that let a receiver check who sent a body, when, and whether it has it already, as Standard Webhooks
 * (https://www.standardwebhooks.com) names them: libraries for receivers exist in many languages.
 */
export interface SignedHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

export interface Delivery {
  /** The same for every attempt: a receiver that has it already answers 2xx and does nothing. Without a dot. */
  readonly id: string;
  readonly body: string;
  /** Of this attempt, milliseconds since the epoch: a receiver refuses what is older than some minutes. */
  readonly now: number;
}

/** `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`: nothing of the three can be changed or moved. */
export function signWebhook({ id, body, now }: Delivery, secret: Secret): SignedHeaders {
  const timestamp = String(Math.floor(now / 1000));
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/** `whsec_` marks base64, as generators of such secrets write it; anything else is used as it stands. */
function keyOf(secret: Secret): Buffer {
  const text = secret.reveal();
  return text.startsWith('whsec_') ? Buffer.from(text.slice('whsec_'.length), 'base64') : Buffer.from(text);
}
