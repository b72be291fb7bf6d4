import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { type Clock, type Log, messageOf } from '../base/index.ts';
import type { Outbound } from '../outbound/index.ts';
import { discoverIssuer } from './issuer-metadata.ts';
import { IssuerUnavailable } from './verifiers/jwks.ts';

const refreshMs = 10 * 60_000;
/** An unknown `kid` asks the issuer at most this often: a flood of them is our flood otherwise. */
const cooldownMs = 30_000;
/** Keys that could not be refreshed are believed no longer than this. */
const staleMs = 24 * 3_600_000;
const document = { trust: 'configured', timeoutMs: 5000, maxBytes: 256 * 1024 } as const;

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

/**
 * Signature keys of an external issuer. Keeps the last good set while the issuer is down (bounded), refreshes in the
 * background, and asks again for an unknown key only after a cooldown.
 */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #jwksUri: string | null;
  readonly #outbound: Outbound;
  readonly #clock: Clock;
  readonly #log: Log;
  #keys: LocalKeys | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;

  constructor(options: {
    issuer: string;
    jwksUri: string | null;
    outbound: Outbound;
    clock: Clock;
    log: Log;
  }) {
    this.#issuer = options.issuer;
    this.#jwksUri = options.jwksUri;
    this.#outbound = options.outbound;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  readonly find: JWTVerifyGetKey = async (header, token) => {
    const age = this.#clock.now() - this.#fetchedAt;
    if (this.#keys === null || age > staleMs) await this.#refresh();
    else if (age > refreshMs) void this.#refresh();
    try {
      return await this.#current()(header, token);
    } catch (error) {
      if (!isNoMatchingKey(error) || !(await this.#refresh())) throw error;
      return await this.#current()(header, token);
    }
  };

  #current(): LocalKeys {
    if (this.#keys === null || this.#clock.now() - this.#fetchedAt > staleMs) {
      throw new IssuerUnavailable(`no keys of ${this.#issuer}`);
    }
    return this.#keys;
  }

  /** @returns whether new keys came */
  async #refresh(): Promise<boolean> {
    const before = this.#fetchedAt;
    if (this.#running === null) {
      if (this.#clock.now() - this.#triedAt < (this.#keys === null ? 1000 : cooldownMs)) return false;
      this.#triedAt = this.#clock.now();
      this.#running = this.#fetch().finally(() => {
        this.#running = null;
      });
    }
    await this.#running;
    return this.#fetchedAt > before;
  }

  async #fetch(): Promise<void> {
    try {
      const url = this.#jwksUri ?? (await discoverIssuer(this.#issuer, 'jwks_uri', this.#outbound)).jwks_uri;
      const jwks = (await this.#outbound.fetchJson({ url, ...document })) as JSONWebKeySet;
      this.#keys = createLocalJWKSet(jwks);
      this.#fetchedAt = this.#clock.now();
    } catch (error) {
      this.#log.warn(
        { issuer: this.#issuer, detail: messageOf(error) },
        'the keys of an issuer could not be read',
      );
    }
  }
}

function isNoMatchingKey(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_JWKS_NO_MATCHING_KEY';
}
