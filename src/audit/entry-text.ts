import { type Checkpoint, type NoteFault, openCheckpoint, signedText, type VerifierKey } from './note.ts';

// What a stored text says, without reading all of it: there are millions. Attacker-controlled.

export const checkpointEvent = 'audit.checkpoint';
/** Told by a start of a call that an earlier run left without an outcome. */
export const orphanedEvent = 'call.orphaned';
export const chainStartedEvent = 'audit.chain_started';

/** One stored row, as found. Attacker-controlled. */
export interface StoredRow {
  readonly writer: string;
  readonly position: number;
  readonly text: string;
  readonly hash: string;
  /** What the text says, where somebody has read it already; null where it is no JSON. */
  readonly said?: Readonly<Record<string, unknown>> | null;
}

/** `phase`, `event` and `request_id` of a row: as it was read, else by its text. */
export function headOf({ said, text }: StoredRow): { phase: string; event: string; requestId: string } {
  if (said) {
    const { phase, event, request_id: requestId } = said;
    return { phase: textOf(phase), event: textOf(event), requestId: textOf(requestId) };
  }
  return {
    phase: isPhase(text, 'event') ? 'event' : isPhase(text, 'intent') ? 'intent' : 'outcome',
    event: member(text, '"event":"'),
    requestId: requestIdIn(text),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Quotes in values are escaped in JSON: such a mark can only be the member. */
export function isPhase(text: string, phase: 'intent' | 'outcome' | 'event'): boolean {
  return text.includes(`"phase":"${phase}"`);
}

export function isEvent(text: string, event: string): boolean {
  return text.includes(`"event":"${event}"`);
}

export function requestIdIn(text: string): string {
  return member(text, '"request_id":"');
}

export function receivedAtIn(text: string): string {
  return member(text, '"received_at":"');
}

function member(text: string, mark: string): string {
  const at = text.indexOf(mark);
  if (at === -1) return '';
  const start = at + mark.length;
  return text.slice(start, text.indexOf('"', start));
}

export function dataIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text).data ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The checkpoint that an entry `audit.checkpoint` is, once one of the keys has vouched for it. */
export function checkpointIn(
  { writer, text }: Pick<StoredRow, 'writer' | 'text'>,
  keys: readonly VerifierKey[],
): Checkpoint | NoteFault {
  const data = dataIn(text);
  const checkpoint = {
    writer,
    position: Number(data['position']),
    hash: String(data['hash']),
    time: String(data['time']),
  };
  return openCheckpoint(signedText(checkpoint, String(data['signature'])), keys);
}

export function hexOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}
