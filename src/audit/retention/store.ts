import type { WriterHead } from '../sinks/sink.ts';
import type { Plan } from './plan.ts';

/**
 * A store, for retention. It works beside the sink, on a connection of its own: what it reads holds up nobody, and what it
 * removes goes in small transactions, between which the sink has its turn.
 */
export interface RetentionStore {
  /** What may go; changes nothing. */
  plan(before: string): Promise<Plan>;
  /**
   * Lets go of what these heads end. The trail must hold a durable `audit.removed` for each: the store refuses it otherwise.
   * Nothing is removed yet.
   */
  release(heads: readonly WriterHead[]): Promise<void>;
  /** Removes some of what was released, now or before a crash. @returns how many entries; 0 when none are left */
  removeSome(): Promise<number>;
  close(): Promise<void>;
}
