import { uuidv7 } from '../base/index.ts';
import type { Detection, Severity } from '../detections/index.ts';

/** What a receiver gets. Every text in it is bounded, neutral and without credentials. */
export interface Alert {
  /** UUID, the same for every attempt: a receiver that has it already does nothing. */
  readonly id: string;
  readonly severity: Severity;
  /** JSON: `{ type, timestamp, data }`, as Standard Webhooks has it. */
  readonly body: string;
}

/** @param gateway the public URL: which of several gateways speaks */
export function alertOf(detection: Detection, gateway: string): Alert {
  const { time, detection: name, title, severity, client_id, subject, address, data } = detection;
  return {
    id: uuidv7(Date.parse(time)),
    severity,
    body: JSON.stringify({
      type: `detection.${name}`,
      timestamp: time,
      data: { gateway, title, client_id, subject, address, ...data, severity },
    }),
  };
}

/** What `portcullis alerts test` sends. */
export function testAlert(time: string): Detection {
  return {
    time,
    detection: 'test',
    title: 'A test of the way that alerts take',
    severity: 'low',
    client_id: null,
    subject: null,
    address: null,
    data: { count: 0 },
  };
}
