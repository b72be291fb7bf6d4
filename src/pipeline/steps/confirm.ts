import { type Refusal, refuse } from '../../base/index.ts';
import type { AdmittedCall, ClearedCall } from '../call.ts';
import { enforce } from '../observe.ts';

/**
 * A human agrees where the rule says so. There is no way to ask one yet, so such calls are refused: fail closed.
 * The only maker of `ClearedCall`.
 */
export function confirm(call: AdmittedCall): ClearedCall | Refusal {
  if (call.decision.confirm !== null) {
    const refusal = refuse(
      'confirmation_unavailable',
      'This call needs the confirmation of a person, which is not available',
      {
        detail: `${call.decision.rule} confirm ${call.decision.confirm}`,
      },
    );
    const refused = enforce(call, 'confirm', refusal);
    if (refused) {
      call.release();
      return refused;
    }
  }
  return call as ClearedCall;
}
