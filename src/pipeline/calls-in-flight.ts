import type { Refusal } from '../base/index.ts';
import type { ClearedCall } from './call.ts';
import { checkStops } from './steps/stop.ts';

/** A call that has left and is not answered yet. */
export interface CallInFlight {
  readonly call: ClearedCall;
  /** Ends it here and upstream, with this answer where none has begun. */
  refuse(refusal: Refusal): void;
}

/** All of them: what is stopped must not run on. Bounded by the caps on concurrent calls and streams. */
export class CallsInFlight {
  readonly #calls = new Set<CallInFlight>();

  get size(): number {
    return this.#calls.size;
  }

  add(call: CallInFlight): void {
    this.#calls.add(call);
  }

  delete(call: CallInFlight): void {
    this.#calls.delete(call);
  }

  /** Ends the calls that a stop hits. @returns how many */
  endStopped(): number {
    let ended = 0;
    for (const running of this.#calls) {
      const refusal = checkStops(running.call);
      // What is merely not known to be allowed has left already: nothing is won by cutting it.
      if (refusal?.code !== 'stopped') continue;
      running.refuse(refusal);
      ended += 1;
    }
    return ended;
  }
}
