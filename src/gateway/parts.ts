import type { AuditTrail } from '../audit/index.ts';
import type { Denials } from '../authorization-server/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { ReplayGuard } from '../identity/index.ts';
import type { Outbound } from '../outbound/index.ts';
import type { Pins } from '../pins/index.ts';
import type { CallsInFlight, OpenStreams, SessionSeal } from '../pipeline/index.ts';
import type { Stops } from '../stops/index.ts';
import type { RedisConnection } from '../store/index.ts';
import type { AssertionSigner, CredentialsSwitch } from '../upstream/index.ts';
import type { Refusals } from './refusals.ts';
import type { OpenLimits } from './wire-limits.ts';
import type { OpenTelemetry } from './wire-telemetry.ts';
import type { Watch } from './wire-watch.ts';

/** What lives as long as the process: a reload keeps it. */
export interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** See `GatewayOptions`. */
  readonly clientMetadataFetch: typeof fetch | undefined;
  readonly audit: AuditTrail;
  /** Names configurations in the trail. */
  readonly nameConfig: (config: Config) => string;
  readonly limits: OpenLimits;
  readonly outbound: Outbound;
  readonly watch: Watch;
  readonly telemetry: OpenTelemetry;
  readonly sessions: SessionSeal;
  readonly streams: OpenStreams;
  readonly inFlight: CallsInFlight;
  /** What gateways on several machines share; null where there is one. */
  readonly redis: RedisConnection | null;
  /** The kill switch. */
  readonly stops: Stops;
  /** Tokens of other issuers that were revoked here. */
  readonly denials: Denials;
  /** Proofs of possession that were used. */
  readonly replay: ReplayGuard;
  /** Of requests that no server gets to see. */
  readonly refusals: Refusals;
  /** Derives the nonces that proofs are asked for. */
  readonly nonceKey: Uint8Array;
  readonly assertions: AssertionSigner;
  readonly pins: Pins;
  /** Of people at upstreams. */
  readonly connections: CredentialsSwitch;
  readonly isStopping: () => boolean;
}
