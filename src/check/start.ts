import type { Clock } from '../base/index.ts';
import { privateAddressesOf } from '../outbound/index.ts';
import type { CheckContext, CheckInputs } from './context.ts';
import { createDoor } from './door.ts';
import type { Verdict } from './probe.ts';
import { secretsOf } from './tokens/token-set.ts';

export interface ContextOptions extends CheckInputs {
  readonly target: URL;
  readonly clock: Clock;
  /** Of the whole run. Rows that it does not reach are not tested. */
  readonly timeLimitMs: number;
  /** Pause between requests; by default none to speak of on a private network, and a tenth of a second elsewhere. */
  readonly paceMs?: number;
  readonly version: string;
  /** How long a revoked token may live before the server is told so; a minute by default. */
  readonly revocationMs?: number;
  /** Ends the run at once: rows that it did not reach are not tested. */
  readonly signal?: AbortSignal;
}

/** @param verdicts grows while rows run */
export async function openContext(
  options: ContextOptions,
  verdicts: ReadonlyMap<string, Verdict>,
): Promise<CheckContext> {
  const { target, clock } = options;
  const addresses = await privateAddressesOf(target);
  const isPrivate = addresses.length > 0;
  const shared = new Map<unknown, Promise<unknown>>();
  const context: CheckContext = {
    ...options,
    isPrivate,
    addresses,
    door: createDoor({
      target,
      isPrivate,
      ...(isPrivate && { addresses }),
      ...(options.signal && { signal: options.signal }),
      clock,
      secrets: secretsOf(options.tokens),
      paceMs: options.paceMs ?? (isPrivate ? 2 : 100),
      deadline: clock.monotonic() + options.timeLimitMs,
      userAgent: `portcullis-check/${options.version}`,
    }),
    verdict: (id) => verdicts.get(id),
    once<T>(find: (context: CheckContext) => Promise<T>): Promise<T> {
      const known = (shared.get(find) as Promise<T> | undefined) ?? find(context);
      shared.set(find, known);
      return known;
    },
  };
  return context;
}
