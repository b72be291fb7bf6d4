import { type Log, messageOf } from '../base/index.ts';
import type { Principal } from '../identity/index.ts';
import type { OpenStreams, ProtectedServer } from '../pipeline/index.ts';

/** Questions to issuers at a time: most of the places are for requests. */
const atOnce = 16;

export interface WithdrawalOptions {
  /** What serves now: a reload changes it. */
  readonly current: () => { readonly servers: Iterable<ProtectedServer>; readonly withinSeconds: number };
  readonly streams: OpenStreams;
  readonly log: Log;
}

/**
 * Asks the issuers that introspect whether the tokens of open streams are still good, twice in the time in which a revocation is
 * to hold, and cuts the streams of those that are not.
 *
 * @returns what stops it
 */
export function watchWithdrawals({ current, streams, log }: WithdrawalOptions): () => void {
  let timer: NodeJS.Timeout;
  const next = (): void => {
    timer = setTimeout(round, current().withinSeconds * 500).unref();
  };
  const round = (): void => {
    const servers = [...current().servers];
    Promise.all(servers.map((server) => cutWithdrawn(server, streams)))
      .catch((error: unknown) => log.warn({ detail: messageOf(error) }, 'open streams could not be checked'))
      .finally(next);
  };
  next();
  return () => clearTimeout(timer);
}

async function cutWithdrawn({ name, authenticator }: ProtectedServer, streams: OpenStreams): Promise<void> {
  const principals = [...streams.principals(name)];
  const withdrawn = new Set<Principal>();
  for (let from = 0; from < principals.length; from += atOnce) {
    await Promise.all(
      principals.slice(from, from + atOnce).map(async (principal) => {
        if (await authenticator.isWithdrawn(principal)) withdrawn.add(principal);
      }),
    );
  }
  if (withdrawn.size > 0) streams.endRevoked(name, (principal) => withdrawn.has(principal));
}
