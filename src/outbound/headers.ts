import type { Secret } from '../base/index.ts';

/** Headers of a request of ours, in the clear: to be made where they are sent, and kept nowhere. */
export function revealed(headers: Readonly<Record<string, Secret>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, secret]) => [name, secret.reveal()]));
}
