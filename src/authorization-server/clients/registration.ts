import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, isRefusal } from '../../base/index.ts';
import { addressGroup } from '../../limits/index.ts';
import { isObject, parseJson } from '../../protocol/index.ts';
import type { Db } from '../../store/index.ts';
import { Throttle } from '../accounts/index.ts';
import { endJson } from '../answers.ts';
import { readBody } from '../request-body.ts';
import { redirectRule, registrationMetadata } from './metadata.ts';
import { areAllowedRedirects } from './redirect-policy.ts';

const maximumBytes = 16 * 1024;
const maximumDepth = 16;
const hourMs = 3_600_000;

export interface RegistrationOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly maxPerHour: number;
  readonly maxPerHourAndAddress: number;
  readonly redirectSchemes: readonly string[];
  /** What the registration would be called: a client that is there already is not counted. */
  readonly clientId: (metadata: Record<string, unknown>) => string;
  readonly refused: (reason: string, address: string) => void;
}

/** Decides on a registration before oidc-provider sees it: the body to hand on, or null when it has been answered. */
export type RegistrationGate = (
  req: IncomingMessage,
  res: ServerResponse,
  address: string,
) => Promise<Buffer | null>;

/**
 * Bounds what strangers can make us store (RFC 7591 section 5): an hourly count over the stored clients, so that neither
 * a restart nor another process resets it, a smaller one for each address in memory, and a size.
 */
export function createRegistrationGate(options: RegistrationOptions): RegistrationGate {
  const recent = options.db.prepare(
    "SELECT count(*) AS count, min(created_at) AS oldest FROM records WHERE kind = 'Client' AND created_at > :since",
  );
  const existing = options.db.prepare("SELECT 1 FROM records WHERE kind = 'Client' AND id = :id");
  const addresses = new Throttle({ failures: options.maxPerHourAndAddress, windowMs: hourMs });
  return async (req, res, address) => {
    const refuse = (status: number, error: string, description: string) => {
      options.refused(error, address);
      endJson(res, status, { error, error_description: description });
      return null;
    };
    const body = await readBody(req, maximumBytes);
    if (body === null) return refuse(413, 'invalid_client_metadata', 'the registration is too large');
    const metadata = parseObject(body);
    if (metadata === null) {
      return refuse(400, 'invalid_client_metadata', 'the registration must be a JSON object');
    }
    if (!areAllowedRedirects(metadata['redirect_uris'], options.redirectSchemes)) {
      return refuse(400, 'invalid_redirect_uri', redirectRule);
    }
    const registration = registrationMetadata(metadata);
    const handedOn = Buffer.from(JSON.stringify(registration));
    if (existing.get({ id: options.clientId(registration) }) !== undefined) return handedOn;
    const now = options.clock.now();
    const { count, oldest } = recent.get({ since: now - hourMs }) ?? {};
    const from = addressGroup(address);
    const totalWaitMs = Number(count) >= options.maxPerHour ? Number(oldest ?? now) + hourMs - now : 0;
    const waitMs = Math.max(totalWaitMs, addresses.waitMs(from, now));
    if (waitMs > 0) {
      res.setHeader('Retry-After', String(Math.max(1, Math.ceil(waitMs / 1000))));
      return refuse(429, 'temporarily_unavailable', 'too many clients have been registered; try again later');
    }
    addresses.count(from, now);
    return handedOn;
  };
}

/** One reading, and no deeper than what is made of it can be written again. */
function parseObject(body: Buffer): Record<string, unknown> | null {
  const value = parseJson(body, maximumDepth);
  return isRefusal(value) || !isObject(value) ? null : value;
}
