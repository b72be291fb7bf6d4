import { createHmac } from 'node:crypto';
import { type Clock, equalInConstantTime, randomToken, sha256Hex } from '../base/index.ts';
import type { Db } from '../store/index.ts';

/**
 * Short-lived values that come back once: the `state` of a sign-in at a provider, the challenge of a passkey. Nothing
 * is stored when one is made, so that nobody can crowd out another's; what has been used is remembered until it expires.
 */
export interface Tickets {
  /** @param context what the ticket is good for and in which browser: it must be the same when it comes back */
  issue(context: readonly string[], lifeMs: number): string;
  /** True if it was issued for this context and has not expired. Does not use it up. */
  isValid(ticket: string, context: readonly string[]): boolean;
  /** As `isValid`, once: of concurrent calls one is told so. */
  redeem(ticket: string, context: readonly string[]): boolean;
}

export interface TicketsOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly key: Buffer;
}

const shape = /^[0-9a-z]{8,10}\.[\w-]{20,64}\.[\w-]{43}$/;

export function createTickets({ db, clock, key }: TicketsOptions): Tickets {
  const use = db.prepare(
    'INSERT INTO used_tickets (id, expires_at) VALUES (:id, :expires_at) ON CONFLICT (id) DO NOTHING',
  );
  const seal = (body: string, context: readonly string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify([body, ...context]))
      .digest('base64url');
  const expiryOf = (ticket: string) => Number.parseInt(ticket.split('.', 1)[0] ?? '', 36);
  const isValid: Tickets['isValid'] = (ticket, context) => {
    if (!shape.test(ticket) || !(expiryOf(ticket) > clock.now())) return false;
    const cut = ticket.lastIndexOf('.');
    return equalInConstantTime(ticket.slice(cut + 1), seal(ticket.slice(0, cut), context));
  };
  return {
    issue(context, lifeMs) {
      const body = `${(clock.now() + lifeMs).toString(36)}.${randomToken()}`;
      return `${body}.${seal(body, context)}`;
    },
    isValid,
    redeem(ticket, context) {
      if (!isValid(ticket, context)) return false;
      return use.run({ id: sha256Hex(ticket), expires_at: expiryOf(ticket) }).changes === 1;
    },
  };
}
