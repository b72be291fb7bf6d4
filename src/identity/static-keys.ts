import { createHash, timingSafeEqual } from 'node:crypto';
import { type Clock, type Refusal, refuse, type Secret } from '../base/index.ts';
import type { Principal } from './principal.ts';

/** `iss` of principals that no issuer vouches for. No token can have it: issuers are URLs. */
export const staticKeyIssuer = 'urn:portcullis:static-key';
export const anonymousIssuer = 'urn:portcullis:anonymous';

export interface StaticKey {
  readonly name: string;
  readonly key: Secret;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
  readonly scopes: readonly string[];
  readonly organization: string | null;
  /** Lower case; null: `Authorization: Bearer`. */
  readonly header: string | null;
}

/** Keys of before OAuth, of one server. */
export interface StaticKeys {
  /** Headers that hold one, lower case, beside Authorization. */
  readonly headers: readonly string[];
  /**
   * @param value attacker-controlled
   * @param header where it came; null: as a bearer token
   * @returns null where it is none of the keys
   */
  find(value: string, header: string | null): Principal | Refusal | null;
  /** Whether the day of the key that a principal was read from has come, or there is no such key any more. */
  isOver(principal: Principal): boolean;
}

export function createStaticKeys(keys: readonly StaticKey[], resource: string, clock: Clock): StaticKeys {
  const known = keys.map((one) => ({
    ...one,
    digest: digestOf(one.key.reveal()),
    principal: principalOf(one, resource),
  }));
  const isOver = ({ untilMs }: StaticKey) => clock.now() >= untilMs;
  return {
    headers: [...new Set(keys.flatMap(({ header }) => header ?? []))],
    find(value, header) {
      const digest = digestOf(value);
      let found: (typeof known)[number] | null = null;
      // All of them, and by digests: the time says neither which key is near nor how near.
      for (const one of known) {
        if (timingSafeEqual(one.digest, digest) && one.header === header) found = one;
      }
      if (found === null) return null;
      if (isOver(found))
        return refuse('token_key_ended', 'The access token is no longer valid', { detail: found.name });
      return found.principal;
    },
    isOver: (principal) => !known.some((one) => one.principal.key === principal.key && !isOver(one)),
  };
}

/** Who comes without a token while authentication is observed. Told apart by address: there is nothing else. */
export function anonymousPrincipal(address: string, resource: string, expiresAt: number): Principal {
  const key = `${anonymousIssuer} ${address}`;
  return {
    issuer: anonymousIssuer,
    subject: 'anonymous',
    clientId: '',
    organization: anonymousIssuer,
    scopes: [],
    tokenId: 'none',
    grantId: null,
    actors: [],
    issuedAt: null,
    expiresAt,
    audience: resource,
    key,
    subjectKey: key,
  };
}

function principalOf({ name, scopes, organization, untilMs }: StaticKey, resource: string): Principal {
  const key = `${staticKeyIssuer} ${name}`;
  return Object.freeze({
    issuer: staticKeyIssuer,
    subject: name,
    clientId: name,
    organization: organization ?? staticKeyIssuer,
    scopes: Object.freeze([...scopes]),
    tokenId: `static-key:${name}`,
    grantId: null,
    actors: [],
    issuedAt: null,
    expiresAt: Math.floor(untilMs / 1000),
    audience: resource,
    key,
    subjectKey: key,
  });
}

function digestOf(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}
