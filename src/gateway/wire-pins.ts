import type { AuditEvent, AuditTrail } from '../audit/index.ts';
import { type Clock, type Log, messageOf } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { createPins, openPinStore, type Pins } from '../pins/index.ts';
import type { OpenStreams } from '../pipeline/index.ts';
import { tellIn } from './events.ts';
import type { Wiring } from './wire.ts';

export interface PinParts {
  readonly audit: AuditTrail;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of tools' definitions. What is found about them is in the audit log. */
export function openPins(config: Config, { audit, clock, log }: PinParts): Pins {
  const tell = tellIn(audit, clock);
  return createPins({
    store: openPinStore(config.data),
    clock,
    log,
    event: (event, data) => tell(event, { ...placeOf(data), data }),
  });
}

/** Of an event about a tool, for who asks the trail by server or tool. */
function placeOf({
  server,
  tool,
}: Readonly<Record<string, unknown>>): Pick<AuditEvent, 'server' | 'tool_name'> {
  return {
    ...(typeof server === 'string' ? { server } : {}),
    ...(typeof tool === 'string' ? { tool_name: tool } : {}),
  };
}

export interface WatchedPins {
  /** What serves now. */
  readonly wiring: () => Wiring;
  readonly pins: Pins;
  readonly streams: OpenStreams;
  readonly log: Log;
}

/** An approval is to be in force within a second or two. */
const pinsPollMs = 500;

/** What is kept back has changed: the gateway reads the list again, and tells whoever listens for that. */
export function watchPins({ wiring, pins, streams, log }: WatchedPins): () => void {
  pins.onChange((server) => {
    void wiring().backends.get(server)?.catalog.refresh();
    streams.toolsChanged(server);
  });
  const timer = setInterval(() => {
    try {
      pins.refresh();
    } catch (error) {
      log.error({ detail: messageOf(error) }, 'the pins could not be read; what was known stays in force');
    }
  }, pinsPollMs);
  timer.unref();
  return () => clearInterval(timer);
}
