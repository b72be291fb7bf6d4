import { type Clock, type Log, messageOf, uuidv7 } from '../base/index.ts';
import type { ServerPins } from '../pins/index.ts';
import type { ToolFacts } from '../policy/index.ts';
import { toolFacts } from './tool-facts.ts';
import { readToolList } from './tool-list.ts';
import type { Upstream } from './upstream.ts';

/** A known list is read again, in the background, when it is older. */
const freshMs = 60_000;
/** An unknown name asks the upstream at most this often: guessing names must not become its load. */
const cooldownMs = 2_000;
const maxTools = 10_000;

/**
 * What the gateway knows of an upstream's tools. The same facts decide at list and at call.
 */
export interface Catalog {
  /**
   * The facts of a tool; `unknown` if the upstream's list does not have it; null if no list can be had now (the tool then counts
   * as one without annotations).
   */
  find(name: string): Promise<ToolFacts | 'unknown' | null>;
  /** Whether the upstream has listed it. Asks nobody. */
  has(name: string): boolean;
  /**
   * Waits as `find` does for a name that is unknown. A tool that nobody may know of takes the time of one that is not there.
   */
  recheck(): Promise<void>;
  /** Takes up what an answer to a caller's own tools/list said. */
  learn(tools: readonly ToolFacts[]): void;
  /** The upstream said that its tools are others now: what is asked next waits for the new list. */
  changed(): void;
  /** Reads the list now. @returns number of tools, or null if it cannot be read */
  refresh(): Promise<number | null>;
}

export function createCatalog(options: {
  name: string;
  upstream: Upstream;
  pins: ServerPins;
  clock: Clock;
  log: Log;
}): Catalog {
  const { upstream, pins, clock, log } = options;
  let tools = new Map<string, ToolFacts>();
  /** Whether `tools` is the upstream's whole list, so that a name that is missing is unknown. */
  let complete = false;
  let readAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<number | null> | null = null;
  /** When the upstream last said that something changed, and when the last reading that is over began. */
  let changedAt = Number.NEGATIVE_INFINITY;
  let knownFrom = Number.NEGATIVE_INFINITY;
  let later: NodeJS.Timeout | null = null;

  async function read(): Promise<number | null> {
    const from = clock.monotonic();
    triedAt = from;
    try {
      const list = (await readToolList(upstream, () => uuidv7(clock.now()))).slice(0, maxTools);
      pins.see(list, { caller: null, whole: true });
      const facts = list.map(toolFacts).filter((found) => found !== null);
      tools = new Map(facts.map((found) => [found.name, found]));
      complete = true;
      readAt = clock.monotonic();
      return tools.size;
    } catch (error) {
      log.warn({ server: options.name, detail: messageOf(error) }, 'the tool list could not be read');
      return null;
    } finally {
      knownFrom = from;
    }
  }

  function refresh(): Promise<number | null> {
    running ??= read().finally(() => {
      running = null;
    });
    return running;
  }

  /** Reads the list again, unless that has been tried just now. */
  async function recheck(): Promise<void> {
    if (clock.monotonic() - triedAt > cooldownMs || running) await refresh();
  }

  function changed(): void {
    changedAt = clock.monotonic();
    if (changedAt - triedAt > cooldownMs) void refresh();
    else later ??= setTimeout(() => settle().finally(() => (later = null)), cooldownMs).unref();
  }

  /** Between the word that the tools changed and the new list, the old one says nothing. */
  async function settle(): Promise<void> {
    if (changedAt < knownFrom) return;
    if (running) await running;
    if (changedAt >= knownFrom) await refresh();
  }

  upstream.onToolsChanged(changed);

  return {
    async find(name) {
      if (changedAt >= knownFrom) await settle();
      const now = clock.monotonic();
      const known = tools.get(name);
      if (known) {
        if (now - readAt > freshMs && now - triedAt > cooldownMs) void refresh();
        return known;
      }
      await recheck();
      return tools.get(name) ?? (complete ? 'unknown' : null);
    },
    has: (name) => tools.has(name),
    learn(list) {
      for (const facts of list) {
        if (tools.size < maxTools || tools.has(facts.name)) tools.set(facts.name, facts);
      }
    },
    changed,
    recheck,
    refresh,
  };
}
