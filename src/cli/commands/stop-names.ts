import type { AuditStore } from '../../audit/index.ts';
import { silentLog } from '../../base/index.ts';
import type { StopTarget } from '../../stops/index.ts';

/** How many of the last calls are looked through for a name. */
const lastCalls = 20_000;

/** Whether a call on record is of what is to be stopped. What was never seen is more often mistyped than new. */
export async function hasBeenSeen(store: AuditStore, target: StopTarget): Promise<boolean> {
  const { openAuditSource, queryEntries } = await import('../../audit/index.ts');
  const { compileStops } = await import('../../stops/index.ts');
  const stop = { ...target, id: '', reason: null, by: '', at: 0, resumed: null };
  const matcher = compileStops([stop]);
  try {
    const source = await openAuditSource(store, silentLog);
    await using _ = { [Symbol.asyncDispose]: () => source.close() };
    for await (const entry of queryEntries(source, { limit: lastCalls })) {
      if (entry.phase === 'event') continue;
      const { server, tool_name: tool, issuer, client_id, organization } = entry;
      if (issuer === null) continue;
      const call = { server, tool, issuer, clientId: client_id ?? '', organization: organization ?? '' };
      if (matcher.find(call)) return true;
    }
    return false;
  } catch {
    return false; // without a trail nothing was seen
  }
}
