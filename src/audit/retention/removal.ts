import type { WriterHead } from '../sinks/sink.ts';

/** What retention removes of one chain: its entries from the first that is there up to a place that is sealed. */
export interface Removal extends WriterHead {
  /** First position that goes. `position`, of the head, is the last. */
  readonly from: number;
  /** RFC 3339: when the trail took the first and the last of them. */
  readonly oldest: string;
  readonly newest: string;
  /** What vouches for the head: a checkpoint of the chain, or a later chain that names its end, under a checkpoint itself. */
  readonly sealedBy: 'checkpoint' | 'chain';
}

/** Says that a stretch of a chain is going to be removed. */
export const removedEvent = 'audit.removed';
/** Says once more what was removed, when the entries that said so are themselves removed. */
export const removalsEvent = 'audit.removals';
/** An event has room for 32 members. */
const mostHeads = 30;

type Data = Readonly<Record<string, string | number>>;

/** @param asked `keep`: the period, as it was written: `400d`; `by`: who or what asked for it */
export function removalData(removal: Removal, asked: { readonly keep: string; readonly by: string }): Data {
  const { writer, from, position, hash, oldest, newest, sealedBy } = removal;
  const count = position - from + 1;
  return { writer, from, through: position, count, hash, oldest, newest, sealed_by: sealedBy, ...asked };
}

/** For one event each. */
export function removalsData(heads: readonly WriterHead[]): Data[] {
  const events: Data[] = [];
  for (let at = 0; at < heads.length; at += mostHeads)
    events.push(headsData(heads.slice(at, at + mostHeads)));
  return events;
}

/** Heads of chains, as events name them: `chain_01`, `chain_02` … */
export function headsData(heads: readonly WriterHead[]): Record<string, string | number> {
  return Object.fromEntries(
    heads.slice(0, mostHeads).map(({ writer, position, hash }, at) => {
      return [`chain_${String(at + 1).padStart(2, '0')}`, `${writer} ${position} ${hash}`];
    }),
  );
}

/** @param data attacker-controlled */
export function headsIn(data: Readonly<Record<string, unknown>>): WriterHead[] {
  return Object.entries(data).flatMap(([name, value]) => {
    const parts = name.startsWith('chain_') ? /^(\S+) (\d{1,15}) ([0-9a-f]{64})$/.exec(String(value)) : null;
    return parts ? [{ writer: parts[1] ?? '', position: Number(parts[2]), hash: parts[3] ?? '' }] : [];
  });
}

/** The heads that an event of retention names. */
export function removedIn(event: string, data: Readonly<Record<string, unknown>>): WriterHead[] {
  if (event === removalsEvent) return headsIn(data);
  const head = {
    writer: String(data['writer']),
    position: Number(data['through']),
    hash: String(data['hash']),
  };
  return Number.isSafeInteger(head.position) ? [head] : [];
}
