import type { OpenAuditTrail } from '../audit/index.ts';
import { attribute, metric, type Registry } from '../telemetry/index.ts';
import type { UpstreamState } from '../upstream/index.ts';
import type { Wiring } from './wire.ts';
import type { Parts } from './wire-parts.ts';

export interface GaugeSources {
  readonly trail: OpenAuditTrail;
  readonly parts: Parts;
  /** What serves now. */
  readonly wiring: () => Wiring;
}

const upstreamStates: readonly UpstreamState[] = ['idle', 'starting', 'ready', 'down', 'closed'];

/** How the gateway stands, read when somebody asks. */
export function observeGateway(registry: Registry, { trail, parts, wiring }: GaugeSources): void {
  const { inFlight, streams, redis } = parts;
  registry.observed(
    'gauge',
    { name: metric.callsActive, unit: '{call}', text: 'Calls that have left and are not answered.' },
    () => [[[], inFlight.size]],
  );
  registry.observed(
    'gauge',
    { name: metric.streams, unit: '{stream}', text: 'Event streams that are open.' },
    () => [[[], streams.size]],
  );
  registry.observed(
    'gauge',
    {
      name: metric.upstreamState,
      unit: '{state}',
      text: '1 for the state that the server behind is in.',
      keys: [attribute.server, attribute.state],
    },
    () =>
      [...wiring().backends].flatMap(([server, { upstream }]) =>
        upstreamStates.map((state) => [[server, state], upstream.state() === state ? 1 : 0] as const),
      ),
  );
  registry.observed(
    'gauge',
    { name: metric.storeUp, unit: '{store}', text: '1 while it can be used.', keys: [attribute.store] },
    () => [
      [['audit'], Number(trail.healthy())],
      ...(redis ? [[['redis'], Number(redis.isReady())] as const] : []),
    ],
  );
  observeAudit(registry, trail);
}

function observeAudit(registry: Registry, trail: OpenAuditTrail): void {
  registry.observed(
    'gauge',
    { name: metric.auditWaiting, unit: '{record}', text: 'Audit records on their way to the store.' },
    () => [[[], trail.waiting()]],
  );
  const events = registry.counter({
    name: metric.auditEvents,
    unit: '{event}',
    text: 'Events that the audit trail holds since the start, by name.',
    keys: [attribute.event],
  });
  trail.subscribe(({ record }) => {
    if (record.phase === 'event') events.add([record.event]);
  });
  const keys = [attribute.kind];
  const copies = (kind: 'gauge' | 'sum', of: { name: string; text: string }, read: CopyNumber) =>
    registry.observed(kind, { ...of, unit: '{record}', keys }, () => sums(trail, read));
  copies(
    'gauge',
    { name: metric.copyWaiting, text: 'Records that wait for a copy.' },
    (copy) => copy.waiting,
  );
  copies('gauge', { name: metric.copyFailing, text: 'Copies that fail now.' }, (copy) =>
    Number(copy.failing),
  );
  copies(
    'sum',
    { name: metric.copyDelivered, text: 'Records that copies have taken.' },
    (copy) => copy.delivered,
  );
  copies('sum', { name: metric.copyDropped, text: 'Records that a copy lacks.' }, (copy) => copy.dropped);
}

type CopyNumber = (copy: ReturnType<OpenAuditTrail['copies']>[number]) => number;

/** Of one kind together: places are the operator's names, and may say more than a metric should. */
function sums(trail: OpenAuditTrail, read: CopyNumber): [string[], number][] {
  const found = new Map<string, number>();
  for (const copy of trail.copies()) found.set(copy.kind, (found.get(copy.kind) ?? 0) + read(copy));
  return [...found].map(([kind, number]) => [[kind], number]);
}
