import { statSync } from 'node:fs';
import { messageOf } from '../base/index.ts';
import { type LockedPins, readLock } from './lock.ts';
import type { PinRules, Pins, PinsOptions, ServerPins } from './pins.ts';
import { PinnedServer } from './server-pins.ts';
import type { KnownTool } from './shadow.ts';

/** The pins of all servers, and what changes them from outside: another process, and the lock file. */
export class PinRegistry implements Pins {
  readonly options: PinsOptions;
  readonly #servers = new Map<string, PinnedServer>();
  readonly #listeners: ((server: string) => void)[] = [];
  #version: number;
  #rules: PinRules = { changes: 'strict', lock: null };
  #lock: LockedPins | null = null;
  #lockStamp = '';

  constructor(options: PinsOptions) {
    this.options = options;
    this.#version = options.store.version();
  }

  get changes(): PinRules['changes'] {
    return this.#rules.changes;
  }

  prepare(rules: PinRules, servers: readonly string[]): () => void {
    const stamp = stampOf(rules.lock);
    const lock = rules.lock === null ? null : readLock(rules.lock);
    return () => {
      this.#rules = rules;
      this.#lock = lock;
      this.#lockStamp = stamp;
      for (const name of this.#servers.keys()) if (!servers.includes(name)) this.#servers.delete(name);
      this.#load();
    };
  }

  get locked(): LockedPins | null {
    return this.#lock;
  }

  server(name: string, ownLists: boolean): ServerPins {
    const server = new PinnedServer(name, ownLists, this);
    this.#servers.set(name, server);
    server.load();
    return server;
  }

  onChange(listener: (server: string) => void): void {
    this.#listeners.push(listener);
  }

  changed(server: string): void {
    for (const listener of this.#listeners) listener(server);
  }

  refresh(): void {
    const lockChanged = stampOf(this.#rules.lock) !== this.#lockStamp;
    const version = this.options.store.version();
    if (version === this.#version && !lockChanged) return;
    if (lockChanged) this.#readLock();
    this.#version = version;
    this.#load();
  }

  #load(): void {
    for (const [name, server] of this.#servers) {
      server.load();
      this.changed(name);
    }
  }

  /** What was reviewed before stays in force when the file is broken: that opens nothing. */
  #readLock(): void {
    const { log, event } = this.options;
    const { lock } = this.#rules;
    this.#lockStamp = stampOf(lock);
    if (lock === null) return;
    try {
      this.#lock = readLock(lock);
      event('pins.lock_read', { file: lock });
    } catch (error) {
      const detail = messageOf(error);
      log.error({ detail }, 'the lock file of the pins cannot be used; the one before stays in force');
      event('pins.lock_invalid', { detail });
    }
  }

  /** Pinned tools whose names are taken for each other. */
  alike(skeleton: string): KnownTool[] {
    return [...this.#servers].flatMap(([server, pinned]) =>
      pinned.namesLike(skeleton).map((name) => ({ server, name })),
    );
  }

  isForeign(name: string, server: string): boolean {
    return [...this.#servers].some(([other, pinned]) => other !== server && pinned.hasPin(name));
  }

  close(): void {
    this.options.store.close();
  }
}

function stampOf(file: string | null): string {
  if (file === null) return '';
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'missing';
  }
}
