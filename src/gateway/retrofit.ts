import { BlockList, isIP } from 'node:net';
import type { Clock } from '../base/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';
import {
  type Authenticator,
  anonymousIssuer,
  createStaticKeys,
  type Principal,
  staticKeyIssuer,
} from '../identity/index.ts';
import type { ProtectedServer } from '../pipeline/index.ts';

type Retrofit = Pick<ProtectedServer, 'observed' | 'observedAuthentication' | 'staticKeys'>;

/** What is not in force yet, while a server that was open gets its gateway. */
export function retrofitOf(server: ServerConfig, config: Config, clock: Clock): Retrofit {
  return {
    observed: new Set(config.observe),
    observedAuthentication: observedAuthentication(config),
    staticKeys:
      server.staticKeys.length === 0 ? null : createStaticKeys(server.staticKeys, server.resource, clock),
  };
}

/** The proxies' own addresses are nobody's: where one does not say for whom it asks, it asks for anybody. */
function observedAuthentication({ auth, trustedProxies }: Config): Retrofit['observedAuthentication'] {
  if (auth.observe === null) return null;
  const [from, proxies] = [blockList(auth.observe.from), blockList(trustedProxies)];
  return {
    untilMs: auth.observe.untilMs,
    admits: (address) => has(from, address) && !has(proxies, address),
  };
}

function blockList(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = '', prefix = ''] = block.split('/');
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Ends the streams of callers that no issuer vouches for when their day has come. */
export function withRetrofit(inner: Authenticator, retrofit: Retrofit, clock: Clock): Authenticator {
  const isOver = (principal: Principal) => isRetrofitOver(principal, retrofit, clock.now());
  return {
    ...inner,
    isRevoked: (principal) => isOver(principal) ?? inner.isRevoked(principal),
    isWithdrawn: async (principal) => isOver(principal) ?? inner.isWithdrawn(principal),
  };
}

/** Null for those of issuers. */
function isRetrofitOver(principal: Principal, server: Retrofit, now: number): boolean | null {
  if (principal.issuer === anonymousIssuer) {
    return server.observedAuthentication === null || now >= server.observedAuthentication.untilMs;
  }
  if (principal.issuer === staticKeyIssuer) return server.staticKeys?.isOver(principal) ?? true;
  return null;
}

const warnDaysAhead = 30;
const dayMs = 86_400_000;

/** Said at every start, in the log and on the terminal: a gateway that refuses nothing looks like one that does. */
export function retrofitWarnings(config: Config, now: number): string[] {
  const found: string[] = [];
  if (config.observe.length > 0) {
    found.push(
      `observed and NOT enforced: ${config.observe.join(', ')}. What they would refuse is recorded, and passes`,
    );
  }
  const { observe } = config.auth;
  if (observe !== null) {
    found.push(
      now >= observe.untilMs
        ? `auth.observe is over since ${observe.until}: every caller needs a token. Remove it`
        : `AUTHENTICATION IS NOT ENFORCED until ${observe.until}: callers from ${observe.from.join(', ')} come in without a token (auth.observe)`,
    );
  }
  for (const { name, staticKeys } of config.servers) {
    for (const key of staticKeys) found.push(`${name}: ${keyWarning(key, now)}`);
  }
  return found;
}

function keyWarning({ name, until, untilMs }: ServerConfig['staticKeys'][number], now: number): string {
  if (now >= untilMs) return `the static key ${name} is refused since ${until}. Remove it`;
  const days = Math.ceil((untilMs - now) / dayMs);
  const left = days <= warnDaysAhead ? `, in ${days} day${days === 1 ? '' : 's'}` : '';
  return `the static key ${name} opens it without OAuth until ${until}${left}`;
}

/** For the record of a start or a reload. */
export function notEnforced({ observe, auth }: Config, now: number): Record<string, string> {
  const open = auth.observe !== null && now < auth.observe.untilMs;
  const names = [...(open ? ['authentication'] : []), ...observe];
  return names.length === 0 ? {} : { observed: names.join(' ') };
}
