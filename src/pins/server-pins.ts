import { messageOf, sha256Hex, timestamp } from '../base/index.ts';
import type { Json } from '../protocol/index.ts';
import { nameSkeleton } from './characters.ts';
import { type Definition, isUnreadable, readDefinition, type UnreadableDefinition } from './definition.ts';
import { type Finding, finding, gradeOf } from './finding.ts';
import { type JudgedServer, judgeChange, judgeFirst, summary } from './judge.ts';
import { PendingWrites } from './pending-writes.ts';
import type { Held, PinState, SeenList, ServerPins } from './pins.ts';
import type { PinRegistry } from './registry.ts';

/** Of one server. More are kept back, unread. */
const maxTools = 10_000;
const maxCharacters = 64 * 1024 * 1024;
/** States of tools, and of callers' own tools. */
const maxStates = 50_000;
/** Different definitions of one tool that are looked at one by one. */
const maxVariants = 32;

/** Text of new definitions that is looked at in one list; the rest waits for the next one, unseen. */
const maxGradedCharacters = 256 * 1024;

interface Tool {
  pin: Definition | null;
  /** What was found in each definition seen so far. */
  readonly graded: Map<string, Finding[]>;
  readonly approved: Set<string>;
  /** Hashes that were told of already. */
  told: Set<string>;
}

interface OneList {
  readonly caller: string;
  readonly first: boolean;
  readonly twice: ReadonlySet<string>;
  /** Characters that may still be looked at. */
  budget: number;
}

type Read = Definition | UnreadableDefinition;

/** The pins of one server, in memory; the store has them too. Synchronous: nothing passes between looking and deciding. */
export class PinnedServer implements ServerPins, JudgedServer {
  readonly name: string;
  readonly registry: PinRegistry;
  readonly #ownLists: boolean;
  #tools = new Map<string, Tool>();
  readonly #names = new Map<string, string[]>();
  /** Keyed by caller and tool; the caller is empty where all have one list. */
  readonly #held = new Map<string, Held>();
  readonly #current = new Map<string, string>();
  #characters = 0;
  #met = false;
  readonly #pending: PendingWrites;
  /** Another process met a tool first. */
  #overtaken = false;

  constructor(name: string, ownLists: boolean, registry: PinRegistry) {
    this.name = name;
    this.#ownLists = ownLists;
    this.registry = registry;
    this.#pending = new PendingWrites(registry.options.store);
  }

  /** From the store and the lock file. */
  load(): void {
    const { store } = this.registry.options;
    const before = this.#tools;
    this.#tools = new Map();
    this.#names.clear();
    this.#held.clear();
    this.#characters = 0;
    this.#met = store.servers().includes(this.name);
    const locked = this.registry.locked?.get(this.name);
    const pinned = this.registry.locked
      ? (locked?.values() ?? [])
      : store.pins(this.name).map(({ definition }) => definition);
    for (const definition of pinned) this.#take(definition);
    for (const { tool, hash } of this.registry.locked ? [] : store.approved(this.name)) {
      this.#tool(tool).approved.add(hash);
    }
    for (const { tool, caller, definition, findings } of store.candidates(this.name)) {
      // A lock file that has come to name it is the approval.
      const isLocked = definition !== null && locked?.get(tool)?.hash === definition.hash;
      if (isLocked) store.release(this.name, tool, caller);
      else this.#held.set(keyOf(tool, caller), { hash: definition?.hash ?? null, findings });
    }
    for (const [name, tool] of this.#tools) tool.told = before.get(name)?.told ?? tool.told;
  }

  hasPin(name: string): boolean {
    return this.#tools.get(name)?.pin != null;
  }

  namesLike(skeleton: string): readonly string[] {
    return this.#names.get(skeleton) ?? [];
  }

  stateOf(tool: string, caller: string): PinState {
    const digest = this.#digest(caller);
    return { hash: this.#current.get(keyOf(tool, digest)) ?? null, quarantine: this.#heldOf(tool, digest) };
  }

  see(tools: readonly Json[], { caller, whole }: SeenList): boolean[] {
    const read = tools.map(readDefinition);
    const list = {
      caller: caller === null ? '' : this.#digest(caller),
      first: !this.#met,
      twice: repeated(read),
      budget: maxGradedCharacters,
    };
    const held = this.#held.size;
    const seen = read.map((one) => one !== null && this.#seeOne(one, list));
    if (list.first && list.budget >= 0 && (whole || this.#ownLists)) this.#meet(read.length);
    if (!this.#write()) return tools.map(() => false);
    if (this.#overtaken) {
      this.#overtaken = false;
      this.load();
      return this.see(tools, { caller, whole });
    }
    if (this.#held.size !== held) this.registry.changed(this.name);
    return seen;
  }

  #seeOne(found: Read, list: OneList): boolean {
    if (!this.#tools.has(found.name) && this.#tools.size >= maxTools) return false;
    const tool = this.#tool(found.name);
    const findings = this.#findingsOf(found, tool, list);
    if (findings === 'later') return false;
    if (isUnreadable(found) || (findings !== null && gradeOf(findings) === 'high')) {
      this.#hold(found, findings ?? [], list);
      return false;
    }
    if (findings !== null && tool.pin === null) this.#pin(found, tool, findings);
    else if (findings !== null && !tool.told.has(found.hash)) this.#tell(found, tool, findings);
    if (this.#heldOf(found.name, list.caller) !== null) return false; // until a person has looked
    this.#setCurrent(keyOf(found.name, list.caller), found.hash);
    return true;
  }

  /** @returns null for exactly what is pinned or was approved; `later` when one list has brought too much to look at */
  #findingsOf(found: Read, tool: Tool, list: OneList): Finding[] | null | 'later' {
    if (isUnreadable(found)) return [finding('high', 'unreadable', '', found.unreadable)];
    if (list.twice.has(found.name)) {
      return [finding('high', 'unreadable', '', 'is listed twice, with different definitions')];
    }
    if (found.hash === tool.pin?.hash || tool.approved.has(found.hash)) return null;
    const known = tool.graded.get(found.hash);
    if (known) return known;
    list.budget -= found.text.length;
    if (list.budget < 0) return 'later';
    const findings =
      tool.pin === null ? this.#firstSight(found, list) : this.#gradeChange(found, tool, tool.pin);
    if (tool.graded.size < maxVariants) tool.graded.set(found.hash, findings);
    return findings;
  }

  #gradeChange(found: Definition, tool: Tool, pin: Definition): Finding[] {
    const graded = judgeChange(found, pin, this);
    if (!tool.told.has(found.hash) && tool.told.size >= maxVariants && !this.#ownLists) {
      graded.unshift(finding('high', 'unstable', '', `has had more than ${maxVariants} definitions`));
    }
    return graded;
  }

  #firstSight(found: Definition, { first }: OneList): Finding[] {
    if (this.registry.locked) return [finding('high', 'unlisted', '', 'is not in the lock file')];
    if (this.#characters + found.text.length > maxCharacters) {
      return [finding('high', 'unreadable', '', 'more definitions than are kept')];
    }
    return judgeFirst(found, first, this);
  }

  #pin(definition: Definition, tool: Tool, findings: readonly Finding[]): void {
    const { store } = this.registry.options;
    this.#take(definition);
    tool.told.add(definition.hash);
    const pin = { server: this.name, tool: definition.name, definition, by: 'first_use', at: this.#now() };
    this.#pending.write(() => {
      this.#overtaken ||= !store.pinFirst(pin);
    });
    this.#event('pins.pinned', definition.name, { hash: definition.hash, ...summary(findings) });
  }

  #hold(found: Read, findings: readonly Finding[], { caller }: OneList): void {
    const { store, log } = this.registry.options;
    const definition = isUnreadable(found) ? null : found;
    const hash = definition?.hash ?? null;
    const tool = this.#tool(found.name);
    const key = keyOf(found.name, caller);
    // What is held and goes on changing is not worth a write each time.
    const known = tool.told.has(hash ?? '') || tool.told.size >= maxVariants;
    if (this.#held.has(key) && known) return;
    if (this.#held.size >= maxStates) return;
    tool.told.add(hash ?? '');
    this.#held.set(key, { hash, findings });
    const candidate = { server: this.name, tool: found.name, caller, definition, findings, at: this.#now() };
    this.#pending.write(() => store.hold(candidate));
    log.warn(
      { server: this.name, tool: found.name },
      'a tool is in quarantine: somebody has to look at its definition',
    );
    this.#event('pins.quarantined', found.name, {
      hash,
      pinned: tool.pin?.hash ?? null,
      ...summary(findings),
    });
  }

  #tell(found: Definition, tool: Tool, findings: readonly Finding[]): void {
    if (tool.told.size >= maxVariants) return;
    tool.told.add(found.hash);
    this.#event('pins.changed', found.name, {
      hash: found.hash,
      pinned: tool.pin?.hash ?? null,
      ...summary(findings),
    });
  }

  #meet(tools: number): void {
    const { store, event } = this.registry.options;
    const at = this.#now();
    this.#met = true;
    this.#pending.write(() => store.meet(this.name, at));
    this.#pending.tell(() => event('pins.first_contact', { server: this.name, tools }));
  }

  /** @returns false when it cannot be kept: then nothing of the list may be shown */
  #write(): boolean {
    let events: readonly (() => void)[];
    try {
      events = this.#pending.commit();
    } catch (error) {
      this.registry.options.log.error(
        { server: this.name, detail: messageOf(error) },
        'tool definitions cannot be pinned, so none is shown',
      );
      this.load();
      return false;
    }
    for (const tell of events) tell();
    return true;
  }

  #event(name: string, tool: string, data: Readonly<Record<string, string | null>>): void {
    const { event } = this.registry.options;
    this.#pending.tell(() => event(name, { server: this.name, tool, ...data }));
  }

  #heldOf(tool: string, caller: string): Held | null {
    return this.#held.get(keyOf(tool, caller)) ?? this.#held.get(keyOf(tool, '')) ?? null;
  }

  #take(definition: Definition): void {
    const tool = this.#tool(definition.name);
    this.#characters += definition.text.length - (tool.pin?.text.length ?? 0);
    if (tool.pin === null) {
      const skeleton = nameSkeleton(definition.name);
      this.#names.set(skeleton, [...this.namesLike(skeleton), definition.name]);
    }
    tool.pin = definition;
    tool.graded.clear();
  }

  #tool(name: string): Tool {
    let tool = this.#tools.get(name);
    if (tool === undefined) {
      tool = { pin: null, graded: new Map(), approved: new Set(), told: new Set() };
      this.#tools.set(name, tool);
    }
    return tool;
  }

  #setCurrent(key: string, hash: string): void {
    this.#current.delete(key);
    this.#current.set(key, hash);
    const oldest = this.#current.keys().next().value;
    if (this.#current.size > maxStates && oldest !== undefined) this.#current.delete(oldest);
  }

  #digest(caller: string): string {
    return this.#ownLists ? sha256Hex(caller).slice(0, 32) : '';
  }

  #now(): string {
    return timestamp(this.registry.options.clock.now());
  }
}

function keyOf(tool: string, caller: string): string {
  return `${caller} ${tool}`;
}

/** Names that one list has twice, with different definitions: which of them a client takes is anybody's guess. */
function repeated(read: readonly (Read | null)[]): Set<string> {
  const hashes = new Map<string, string>();
  const twice = new Set<string>();
  for (const one of read) {
    if (one === null || isUnreadable(one)) continue;
    const before = hashes.get(one.name);
    if (before !== undefined && before !== one.hash) twice.add(one.name);
    hashes.set(one.name, one.hash);
  }
  return twice;
}
