import { type AuditStore, openAuditSource, verifyAudit } from '../../src/audit/index.ts';
import { silentLog } from '../../src/base/index.ts';
import { idOf } from './load.ts';

/** What the upstream saw and what clients got: request ids. */
export interface Witnessed {
  /** In the order of arrival. */
  readonly seen: readonly string[];
  /** Whatever the answer was. */
  readonly answered: ReadonlySet<string>;
  /** Refusals that were got while the store failed: those waited for nothing. */
  readonly excused: ReadonlySet<string>;
  /** What answers of the authorization server told (see `idOf`), but for those of an outage. */
  readonly events: ReadonlySet<string>;
}

export interface Comparison {
  readonly faults: readonly string[];
  readonly orphans: number;
  /** Of `excused`: those that the death of the gateway took along. */
  readonly lostInOutage: number;
}

/** Holds both against the trail. @returns one sentence for each promise that was broken */
export async function compare(
  store: AuditStore,
  { seen, answered, excused, events }: Witnessed,
): Promise<Comparison> {
  const source = await openAuditSource(store, silentLog);
  const ids = async (condition: string) => {
    const sql = `SELECT ${source.field('request_id')} AS request_id FROM records WHERE ${condition}`;
    return (await source.run({ sql, parameters: {} })).map((row) => String(row['request_id']));
  };
  const intents = await ids("phase = 'intent'");
  const outcomes = await ids("phase = 'outcome'");
  const notices = await ids("phase = 'event' AND event = 'call.orphaned'");
  const sql = "SELECT entry FROM records WHERE phase = 'event'";
  const entries = await source.run({ sql, parameters: {} });
  const told = new Set(entries.flatMap(({ entry }) => idsOf(String(entry))));
  await source.close();
  const [intended, ended, noticed] = [new Set(intents), new Set(outcomes), new Set(notices)];
  const isSettled = (id: string) => ended.has(id) || noticed.has(id);
  const verification = await verifyAudit(store);
  const promises: Readonly<Record<string, readonly string[]>> = {
    'seen upstream without an intent': seen.filter((id) => !intended.has(id)),
    'seen upstream twice': twice(seen),
    'answered without an outcome or a notice': [...answered].filter((id) => !isSettled(id)),
    'refused with an intent alone': [...excused].filter((id) => intended.has(id) && !isSettled(id)),
    'answered without an event': [...events].filter((id) => !told.has(id)),
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
  const lostInOutage = [...excused].filter((id) => !isSettled(id)).length;
  return { faults, orphans: notices.length, lostInOutage };
}

function idsOf(text: string): string[] {
  const {
    event,
    client_id,
    data = {},
  } = JSON.parse(text) as { data?: Record<string, unknown> } & Record<string, unknown>;
  return [client_id, data['jti'], data['path']].map((about) => idOf(event, about));
}

function twice(ids: readonly string[]): string[] {
  const known = new Set<string>();
  return ids.filter((id) => known.size === known.add(id).size);
}
