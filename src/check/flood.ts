import type { Exchange } from './exchange.ts';

export interface Flooded {
  /** The first 429; null if there was none. */
  readonly limited: Exchange | null;
  readonly sent: number;
  /** The server stopped answering before anything was limited. */
  readonly silent: boolean;
}

const atOnce = 8;

/** Sends until the first 429, or until `most` were sent. Politely, for a flood: a few at once. */
export async function flood(send: () => Promise<Exchange>, most: number): Promise<Flooded> {
  let sent = 0;
  while (sent < most) {
    const round = Math.min(atOnce, most - sent);
    const exchanges = await Promise.all(Array.from({ length: round }, send));
    sent += round;
    const limited = exchanges.find(({ status }) => status === 429);
    if (limited) return { limited, sent, silent: false };
    // A server that went down under it is not flooded any further.
    if (exchanges.every(({ status }) => status === 0 || status >= 500))
      return { limited: null, sent, silent: true };
  }
  return { limited: null, sent, silent: false };
}
