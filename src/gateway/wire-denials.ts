import type { AuditTrail } from '../audit/index.ts';
import { type Denials, issuerPath, openDenials, shareDenials } from '../authorization-server/index.ts';
import { type Clock, isRefusal, type Log, refuse } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Verifier } from '../identity/index.ts';
import type { RedisConnection } from '../store/index.ts';
import { tellIn } from './events.ts';

export interface DenialParts {
  readonly audit: AuditTrail;
  readonly redis: RedisConnection | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly withinSeconds: () => number;
}

/** The deny list of this process. As long as the process lives: a reload keeps it. */
export function openDenyList(config: Config, parts: DenialParts): Promise<Denials> {
  const { audit, redis, clock, log, withinSeconds } = parts;
  const tell = tellIn(audit, clock);
  return openDenials({
    dataDir: config.data,
    ownIssuer: config.auth.embedded ? config.publicUrl + issuerPath : null,
    withinSeconds,
    shared: redis && shareDenials(redis, clock.now),
    clock,
    log,
    onState: (isReachable, detail) =>
      tell(isReachable ? 'revocations.shared' : 'revocations.unshared', { data: { detail } }),
  });
}

/** Whatever its issuer says of a token: what was revoked here is refused here. */
export function denying(verifier: Verifier, denials: Denials): Verifier {
  return {
    ...verifier,
    async verify(token) {
      const verified = await verifier.verify(token);
      if (isRefusal(verified) || !denials.has(verified.principal)) return verified;
      return refuse('token_revoked', 'The access token is no longer valid');
    },
    isRevoked: (principal) => verifier.isRevoked(principal) || denials.has(principal),
  };
}
