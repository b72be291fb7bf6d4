import { readJson } from '../base/index.ts';
import { type RedisConnection, redisScript } from '../store/index.ts';
import type { Denial } from './denials.ts';

/** What gateways on one Redis tell each other of revocations. Every method rejects while it is away. */
export interface SharedDenials {
  /** What has come since the last question. `wasLost`: the store is another than it was, so tell it everything again. */
  since(): Promise<{ readonly arrived: readonly Denial[]; readonly wasLost: boolean }>;
  add(denials: readonly Denial[]): Promise<void>;
}

/**
 * Each member gets a number at its first arrival: the server's time in microseconds, and more than the last one's. By its clock, so
 * that numbers go on upwards after the store has lost everything. `born` says when it began.
 */
const addScript = redisScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local number = math.max(now, (last and tonumber(last) or 0) + 1)
if redis.call('ZSCORE', KEYS[1], 'born') == false then redis.call('ZADD', KEYS[1], number, 'born') end
for i = 1, #ARGV do
  number = number + 1
  redis.call('ZADD', KEYS[1], 'NX', number, ARGV[i])
end
return 1`);

/** When the store began, and what came after a number: member, number, member, … Strings, whatever protocol is spoken. */
const sinceScript = redisScript(`
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES')
table.insert(found, 1, redis.call('ZSCORE', KEYS[1], 'born') or '')
return found`);

/** Looked through for what has expired, once in so many questions. */
const questionsPerSweep = 2_000;
const mostAtOnce = 500;

export function shareDenials(redis: RedisConnection, now: () => number): SharedDenials {
  const key = `${redis.prefix}revocations`;
  let last = '0';
  let born: string | null = null;
  let questions = 0;
  return {
    async since() {
      let [birth = '', ...found] = (await redis.run(sinceScript, [key], [last])) as string[];
      const wasLost = birth === '' || birth !== born;
      if (wasLost && last !== '0')
        [birth = '', ...found] = (await redis.run(sinceScript, [key], ['0'])) as string[];
      born = birth;
      const arrived: Denial[] = [];
      const expired: string[] = [];
      for (let at = 0; at + 1 < found.length; at += 2) {
        last = found[at + 1] ?? last;
        const denial = denialIn(found[at] ?? '');
        if (denial === null) continue;
        if (denial.expiresAt > now()) arrived.push(denial);
        else expired.push(found[at] ?? '');
      }
      if (expired.length > 0) await redis.call('ZREM', key, ...expired);
      questions += 1;
      if (questions % questionsPerSweep === 0) last = '0';
      return { arrived, wasLost };
    },
    async add(denials) {
      for (let from = 0; from < denials.length; from += mostAtOnce) {
        await redis.run(addScript, [key], denials.slice(from, from + mostAtOnce).map(written));
      }
    },
  };
}

function written({ kind, id, issuer, revokedAt, expiresAt }: Denial): string {
  return JSON.stringify([kind, id, issuer, revokedAt, expiresAt]);
}

/** Null for the mark of the beginning, and for what we did not write. */
function denialIn(text: string): Denial | null {
  if (!text.startsWith('[')) return null;
  try {
    const [kind, id, issuer, revokedAt, expiresAt] = readJson(text) as unknown[];
    const isOurs =
      ['jti', 'grant', 'client', 'subject'].includes(String(kind)) &&
      [id, issuer].every((one) => typeof one === 'string' && one !== '') &&
      [revokedAt, expiresAt].every((one) => Number.isSafeInteger(one));
    return isOurs
      ? {
          kind: String(kind),
          id: String(id),
          issuer: String(issuer),
          revokedAt: Number(revokedAt),
          expiresAt: Number(expiresAt),
        }
      : null;
  } catch {
    return null;
  }
}
