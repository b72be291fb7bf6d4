import type { AuditTrail, OpenAuditTrail } from '../audit/index.ts';
import type { Denials } from '../authorization-server/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { ReplayGuard } from '../identity/index.ts';
import { createOutbound, type Outbound } from '../outbound/index.ts';
import type { Pins } from '../pins/index.ts';
import {
  CallsInFlight,
  createSessionSeal,
  OpenStreams,
  type SessionSeal,
  TaskOwners,
} from '../pipeline/index.ts';
import type { Stops } from '../stops/index.ts';
import type { RedisConnection } from '../store/index.ts';
import {
  type AssertionSigner,
  type CredentialsSwitch,
  createAssertionSigner,
  createCredentialsSwitch,
} from '../upstream/index.ts';
import { configHash } from './config-hash.ts';
import { tellIn } from './events.ts';
import type { GatewayOptions } from './gateway.ts';
import { masterKey } from './master-key.ts';
import { openRedis } from './redis.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { openAudit } from './wire-audit.ts';
import { openDenyList } from './wire-denials.ts';
import { type OpenLimits, openLimits } from './wire-limits.ts';
import { openPins } from './wire-pins.ts';
import { createReplayGuard } from './wire-servers.ts';
import { openKillSwitch } from './wire-stops.ts';
import { type OpenTelemetry, openTelemetry } from './wire-telemetry.ts';
import { createWatch, type Watch } from './wire-watch.ts';

/** What lives as long as the process: a reload keeps it. */
export interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: GatewayOptions['environment'];
  readonly clientMetadataFetch: GatewayOptions['clientMetadataFetch'];
  readonly audit: AuditTrail;
  /** Names configurations in the trail. */
  readonly nameConfig: (config: Config) => string;
  readonly limits: OpenLimits;
  readonly outbound: Outbound;
  readonly watch: Watch;
  readonly telemetry: OpenTelemetry;
  readonly sessions: SessionSeal;
  readonly tasks: TaskOwners;
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

export interface OpenParts {
  readonly parts: Parts;
  /** The trail itself, below what watches it. */
  readonly trail: OpenAuditTrail;
  close(): Promise<void>;
}

/** What serves now, and whether it is about to end. */
export interface Now {
  readonly config: () => Config;
  readonly isStopping: () => boolean;
}

interface Closable {
  close(): Promise<void> | void;
}

const keepAliveMs = 15_000;

/** Opens all of them or, when one cannot be opened, none. */
export async function openParts(options: GatewayOptions, now: Now): Promise<OpenParts> {
  const open: Closable[] = [];
  // The last first: who writes records ends before the trail, and the trail's copies go out before the way out closes.
  const close = async (): Promise<void> => {
    for (let part = open.pop(); part !== undefined; part = open.pop()) await part.close();
  };
  try {
    return { ...(await openEach(options, now, open)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openEach(
  { config, clock, log, environment, clientMetadataFetch, writeOut = noOutput }: GatewayOptions,
  now: Now,
  open: Closable[],
): Promise<Omit<OpenParts, 'close'>> {
  const opened = <T extends Closable>(part: T): T => {
    open.push(part);
    return part;
  };
  const around = { clock, log };
  const key = masterKey(config.data);
  const outbound = opened(createOutbound());
  const telemetry = opened(openTelemetry({ ...around, config: now.config, outbound }));
  const trail = await openAudit(config, { ...around, means: { outbound, writeOut } });
  const watch = createWatch(config, { ...around, trail, outbound });
  const audit = watch.trail;
  const tell = tellIn(audit, clock);
  opened({
    close: () => {
      if (now.isStopping()) tell('gateway.stopped');
      return audit.close();
    },
  });
  const refusals = opened(createRefusals(audit, clock));
  const redis = await openRedis(config, log);
  if (redis) opened(redis);
  const inFlight = new CallsInFlight();
  const shared = { ...around, audit, redis };
  const stops = opened(await openKillSwitch(config, { ...shared, inFlight }));
  const word = Buffer.from(key.derive('limits')).toString('hex');
  const limits = opened(await openLimits(config, { ...shared, word }));
  const withinSeconds = () => now.config().auth.revocation.withinSeconds;
  const denials = opened(await openDenyList(config, { ...shared, withinSeconds }));
  const pins = opened(openPins(config, { ...around, audit }));
  const parts: Parts = {
    ...shared,
    environment,
    clientMetadataFetch,
    nameConfig: (named) => configHash(named, key.derive('configuration names')),
    limits,
    outbound,
    watch,
    telemetry,
    sessions: createSessionSeal(key.derive('sessions')),
    tasks: new TaskOwners(),
    streams: new OpenStreams(keepAliveMs),
    inFlight,
    stops,
    denials,
    replay: createReplayGuard(clock),
    refusals,
    nonceKey: key.derive('dpop nonces'),
    assertions: createAssertionSigner({ issuer: config.publicUrl, clock, derive: key.derive }),
    pins,
    connections: createCredentialsSwitch(),
    isStopping: now.isStopping,
  };
  return { parts, trail };
}

function noOutput(): Promise<void> {
  return Promise.reject(new Error('there is no output'));
}
