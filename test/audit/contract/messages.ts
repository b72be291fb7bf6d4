import { createStamp, writeCall } from '../../../src/audit/record.ts';
import { systemClock } from '../../../src/base/index.ts';
import { record } from '../support.ts';

const stamp = createStamp(systemClock, 'here:1');

/** An outcome as the writer gives it to a store. */
export function auditMessages(requestId: string) {
  return writeCall(record({ request_id: requestId }), stamp('outcome'));
}
