import type { Clock, Log } from '../base/index.ts';
import type { Json } from '../protocol/index.ts';
import type { Finding } from './finding.ts';
import { PinRegistry } from './registry.ts';
import type { PinStore } from './store.ts';

/** What is known of one tool's definition now. */
export interface PinState {
  /** Of the definition that was listed last and may be shown; null before any was. */
  readonly hash: string | null;
  /** Why it is kept back; null: it is not. */
  readonly quarantine: Held | null;
}

/** A definition that nobody gets until a person has looked at it. `hash` null: it could not be read. */
export interface Held {
  readonly hash: string | null;
  readonly findings: readonly Finding[];
}

/** The pins of one server. */
export interface ServerPins {
  /**
   * Compares a list with what is pinned. Every list counts, whoever asked for it: the gateway's own, and each that passes to a caller.
   *
   * @param tools `result.tools`; attacker-controlled
   * @returns for each entry whether it may be shown, in the same order
   */
  see(tools: readonly Json[], list: SeenList): boolean[];
  /** @param caller `Principal.subjectKey` */
  stateOf(tool: string, caller: string): PinState;
}

export interface SeenList {
  /** Whose list it is: `Principal.subjectKey`; null: the gateway's own. */
  readonly caller: string | null;
  /** All of the server's tools and not one page, or one caller's part, of them. */
  readonly whole: boolean;
}

export interface PinRules {
  /** `strict`: every change keeps a tool back. */
  readonly changes: 'graded' | 'strict';
  /** Absolute path of a lock file, which then decides instead of the first contact. */
  readonly lock: string | null;
}

export interface Pins {
  /**
   * What applies from when the returned function is called, to these servers.
   * @throws OperationError when the lock file cannot be used: nothing has changed then
   */
  prepare(rules: PinRules, servers: readonly string[]): () => void;
  /** @param ownLists whether each caller has a list of their own: then what one sees keeps nothing from another */
  server(name: string, ownLists: boolean): ServerPins;
  /** Calls `listener` when what is kept back of a server may have changed. */
  onChange(listener: (server: string) => void): void;
  /** Takes up what another process changed, such as `pins approve`. Cheap: for a timer. */
  refresh(): void;
  close(): void;
}

export interface PinsOptions {
  readonly store: PinStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Into the audit trail. */
  readonly event: PinEvent;
}

export type PinEvent = (event: string, data: Readonly<Record<string, string | number | null>>) => void;

/**
 * Tool definitions as they were met or reviewed, and what is kept back because it differs. One for all servers: names are compared
 * across them.
 */
export function createPins(options: PinsOptions): Pins {
  return new PinRegistry(options);
}
