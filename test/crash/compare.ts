import { type AuditStore, openAuditSource, verifyAudit } from '../../src/audit/index.ts';
import { silentLog } from '../../src/base/index.ts';

/** What the upstream saw and what clients got. */
export interface Witnessed {
  /** Request ids, in the order of arrival. */
  readonly seen: readonly string[];
  readonly answered: ReadonlySet<string>;
}

/** Holds both against the trail. @returns one sentence for each promise that was broken */
export async function compare(
  store: AuditStore,
  { seen, answered }: Witnessed,
): Promise<{ faults: readonly string[]; orphans: number }> {
  const source = await openAuditSource(store, silentLog);
  const ids = async (condition: string) => {
    const sql = `SELECT ${source.field('request_id')} AS request_id FROM records WHERE ${condition}`;
    return (await source.run({ sql, parameters: {} })).map((row) => String(row['request_id']));
  };
  const intents = await ids("phase = 'intent'");
  const outcomes = await ids("phase = 'outcome'");
  const notices = await ids("phase = 'event' AND event = 'call.orphaned'");
  await source.close();
  const [intended, ended, noticed] = [new Set(intents), new Set(outcomes), new Set(notices)];
  const isSettled = (id: string) => ended.has(id) || noticed.has(id);
  const verification = await verifyAudit(store);
  const promises: Readonly<Record<string, readonly string[]>> = {
    'seen upstream without an intent': seen.filter((id) => !intended.has(id)),
    'seen upstream twice': twice(seen),
    'answered without an outcome or a notice': [...answered].filter((id) => !isSettled(id)),
    'intents without an outcome or a notice': intents.filter((id) => !isSettled(id)),
    'intents that are there twice': twice(intents),
    'outcomes that are there twice': twice(outcomes),
    'notices that are there twice': twice(notices),
    'with an outcome and a notice': notices.filter((id) => ended.has(id)),
    'findings of verify': verification.findings.map(({ message }) => message),
  };
  const faults = Object.entries(promises).flatMap(([what, found]) =>
    found.length === 0 ? [] : [`${what}: ${found.length}, such as ${found[0]}`],
  );
  return { faults, orphans: notices.length };
}

function twice(ids: readonly string[]): string[] {
  const known = new Set<string>();
  return ids.filter((id) => known.size === known.add(id).size);
}
