import { Secret } from '../../base/index.ts';
import type { NamedSecret } from '../evidence.ts';
import { isRecord, jsonOf } from '../exchange.ts';
import { type TokenClient, type TokenName, type TokenSet, tokenNames } from './token-set.ts';

const others = ['issuer', 'client', 'refresh-token'] as const;

/**
 * Reads `--tokens FILE`: a JSON object of tokens by name. Messages name members, never their values.
 * @returns the set, or what is wrong, one sentence each
 */
export function readTokenSet(text: string): TokenSet | { readonly faults: readonly string[] } {
  const value = jsonOf(text);
  if (!isRecord(value)) return { faults: ['the file needs a JSON object: {"good":"…"}'] };
  const known: readonly string[] = [...tokenNames, ...others];
  const faults = Object.entries(value).flatMap(([name, one]) => {
    if (!known.includes(name)) return [`unknown name ${name.slice(0, 40)}; known: ${known.join(', ')}`];
    if (name === 'client')
      return isRecord(one) && typeof one['id'] === 'string' ? [] : ['client needs an id'];
    return isToken(one) ? [] : [`${name} is no token: one line of visible characters`];
  });
  const client = clientOf(value['client']);
  if (value['good'] === undefined) faults.push('good is missing: a token that the server takes');
  if (value['refresh-token'] !== undefined && (client === null || value['issuer'] === undefined))
    faults.push('refresh-token needs issuer and client: it is sent to that issuer alone');
  if (faults.length > 0) return { faults };
  const tokens = Object.fromEntries(
    tokenNames.flatMap((name) => (typeof value[name] === 'string' ? [[name, named(name, value[name])]] : [])),
  ) as Partial<Record<TokenName, NamedSecret>>;
  const refresh = value['refresh-token'];
  return {
    tokens,
    client,
    issuer: typeof value['issuer'] === 'string' ? value['issuer'] : null,
    refreshToken: typeof refresh === 'string' ? named('refresh', refresh) : null,
    disposable: false,
  };
}

/** A token from standard input. @returns null for what is none */
export function singleToken(text: string): TokenSet | null {
  const token = text.trim();
  if (!isToken(token)) return null;
  return {
    tokens: { good: named('good', token) },
    issuer: null,
    client: null,
    refreshToken: null,
    disposable: false,
  };
}

export function named(name: string, text: string): NamedSecret {
  return { name, secret: new Secret(text) };
}

/** What may stand in a header at all. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{4,16384}$/.test(value);
}

function clientOf(value: unknown): TokenClient | null {
  if (!isRecord(value) || typeof value['id'] !== 'string') return null;
  const { id, secret, redirectUri } = value;
  return {
    id,
    secret: typeof secret === 'string' ? new Secret(secret) : null,
    redirectUri: typeof redirectUri === 'string' ? redirectUri : null,
  };
}
