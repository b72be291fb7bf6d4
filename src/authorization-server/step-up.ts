import { type Configuration, errors } from 'oidc-provider';
import type { Clock } from '../base/index.ts';

const pendingMs = 10_000;
const maxPending = 10_000;

/**
 * Clients of the first SDK generation answer a 403 `insufficient_scope` with a refresh, which cannot widen a grant, and give up
 * when the new token meets the same challenge. So the first refresh right after such a challenge is told that the person is needed
 * (`interaction_required`, OpenID Connect Core section 3.1.2.6): the client then asks for authorization with the challenge's
 * scopes. Nothing is rotated or revoked, and the next refresh is answered as ever.
 */
export interface StepUps {
  /** A call with a token of this grant was refused for want of a scope. */
  expect(grantId: string): void;
  /** Whether the grant's next refresh should be told so. True once. */
  take(grantId: string): boolean;
}

export function createStepUps(clock: Clock): StepUps {
  const pending = new Map<string, number>();
  return {
    expect(grantId) {
      pending.delete(grantId);
      const oldest = pending.size >= maxPending ? pending.keys().next().value : undefined;
      if (oldest !== undefined) pending.delete(oldest);
      pending.set(grantId, clock.monotonic() + pendingMs);
    },
    take(grantId) {
      const until = pending.get(grantId);
      pending.delete(grantId);
      return until !== undefined && until > clock.monotonic();
    },
  };
}

/** For oidc-provider's `rotateRefreshToken`: asked when everything about the refresh is found good, before anything changes. */
export function refuseOnceForStepUp(stepUps: StepUps): NonNullable<Configuration['rotateRefreshToken']> {
  return (ctx) => {
    const grantId = ctx.oidc.entities.RefreshToken?.grantId;
    if (grantId !== undefined && stepUps.take(grantId)) {
      throw new errors.CustomOIDCProviderError(
        'interaction_required',
        'the call needs more scopes than this grant has',
      );
    }
    return true;
  };
}
