import { z } from 'zod';
import { Secret } from '../base/index.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import { trustedUrl } from './values.ts';

export interface AlertsConfig {
  readonly webhook: { readonly url: string; readonly secret: Secret } | null;
}

export const alerts = z.strictObject({
  webhook: z
    .strictObject({
      url: trustedUrl.meta({ description: 'Gets each detection as a signed POST.' }),
      secret: secretReference.meta({ description: 'Key of the signature (Standard Webhooks).' }),
    })
    .optional(),
});

export const alertSecretPath = ['alerts', 'webhook', 'secret'] as const;

export function resolveAlerts(file: z.output<typeof alerts>, secrets: Secrets): AlertsConfig {
  if (!file.webhook) return { webhook: null };
  const secret = secrets.get(alertSecretPath.join('.')) ?? new Secret('');
  return { webhook: { url: file.webhook.url, secret } };
}

/** A key that can be guessed lets anybody raise alarms that nobody should believe. */
export function alertSecretFault(value: string): { message: string; hint: string } | null {
  return value.length >= 16
    ? null
    : { message: 'the secret is shorter than 16 characters', hint: 'make one: openssl rand -base64 32' };
}
