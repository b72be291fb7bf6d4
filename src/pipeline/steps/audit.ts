import { messageOf, type Refusal, refuse } from '../../base/index.ts';
import type { ClearedCall } from '../call.ts';
import type { CallRecord } from '../call-record.ts';

/** No call leaves before its intent is on disk; one whose intent cannot be written does not leave. */
export async function recordIntent(call: ClearedCall, records: CallRecord): Promise<Refusal | null> {
  try {
    await records.intent();
    return null;
  } catch (error) {
    call.release();
    return refuse('audit_unavailable', 'The call cannot be recorded at the moment', {
      detail: messageOf(error),
    });
  }
}
