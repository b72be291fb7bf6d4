import type { AuditTrail } from '../audit/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { HttpConfig, Layer, LimitsConfig } from '../config/index.ts';
import type { Authenticator, DpopMode, Nonces, Principal, StaticKeys } from '../identity/index.ts';
import type { Concurrency, FloodGuard, Limiter, LoopGuard, Penalties } from '../limits/index.ts';
import type { ServerPins } from '../pins/index.ts';
import type { ArgumentsCheck, Policy } from '../policy/index.ts';
import type { Stops } from '../stops/index.ts';
import type { CallTelemetry } from '../telemetry/index.ts';
import type { Catalog, Upstream } from '../upstream/index.ts';
import type { BodyBudget } from './body-budget.ts';
import type { CallsInFlight } from './calls-in-flight.ts';
import type { OpenStreams } from './open-streams.ts';
import type { SessionSeal } from './session-seal.ts';
import type { TaskOwners } from './task-owners.ts';

/**
 * Everything that follows from the configuration, compiled at load and immutable. A request takes the reference once; a reload
 * swaps it for the requests that come after.
 */
export interface Runtime {
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditTrail;
  readonly telemetry: CallTelemetry;
  readonly limiter: Limiter;
  readonly flood: FloodGuard;
  /** Null: loops are not looked for. */
  readonly loops: LoopGuard | null;
  readonly penalties: Penalties;
  readonly concurrency: Concurrency;
  /** Places for streams that stay open. */
  readonly streamSlots: Concurrency;
  readonly bodies: BodyBudget;
  readonly limits: LimitsConfig;
  readonly http: HttpConfig;
  readonly sessions: SessionSeal;
  readonly tasks: TaskOwners;
  readonly streams: OpenStreams;
  readonly inFlight: CallsInFlight;
}

export interface ObservedAuthentication {
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
  readonly admits: (address: string) => boolean;
}

/** One MCP server behind the gateway. */
export interface ProtectedServer {
  readonly name: string;
  /** The URL that clients type: audience of its tokens. */
  readonly resource: string;
  /** Absolute URL of its RFC 9728 document. */
  readonly resourceMetadata: string;
  /** Scopes that a client without a token should ask for. */
  readonly baseline: readonly string[];
  readonly authenticator: Authenticator;
  /** Tokens bound to a key (RFC 9449); `nonces` where proofs must have one of ours. */
  readonly dpop: { readonly mode: DpopMode; readonly nonces: Nonces | null };
  /** Told when a call was refused for want of a scope: the client is about to ask for more. */
  readonly stepUpExpected: (principal: Principal) => void;
  readonly policy: Policy;
  /** Null where the configuration switches the check off. */
  readonly argumentsCheck: ArgumentsCheck | null;
  /** Whether the upstream's exchange asks for the token that the caller came with. Nothing else ever sees it. */
  readonly keepsToken: boolean;
  /** The kill switch. */
  readonly stops: Stops;
  /** Controls that record what they would refuse, and refuse nothing. */
  readonly observed: ReadonlySet<Layer>;
  /** Who may come without a token, and until when; null: nobody. */
  readonly observedAuthentication: ObservedAuthentication | null;
  readonly staticKeys: StaticKeys | null;
  /** What is known of its tools' definitions. */
  readonly pins: ServerPins;
  readonly catalog: Catalog;
  readonly upstream: Upstream;
}
