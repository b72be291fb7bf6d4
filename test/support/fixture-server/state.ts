import { randomBytes } from 'node:crypto';
import { InMemoryServerEventBus } from '@modelcontextprotocol/server';

/** What every server instance of one fixture shares: stateless requests have no other memory. */
export interface FixtureState {
  readonly notes: Map<string, string>;
  /** Carries change events to open `subscriptions/listen` streams. */
  readonly events: InMemoryServerEventBus;
  /** Tool names whose handler saw its signal abort, in order. */
  readonly cancelled: string[];
  /** Tool calls whose handler is running now. */
  running: number;
  /** Signs `requestState`; one key per fixture, since each round is a new server instance. */
  readonly requestStateKey: Uint8Array;
}

export function createFixtureState(): FixtureState {
  return {
    notes: new Map(),
    events: new InMemoryServerEventBus(),
    cancelled: [],
    running: 0,
    requestStateKey: randomBytes(32),
  };
}
