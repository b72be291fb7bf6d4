import { readJson } from '../base/index.ts';
import { type RedisConnection, redisScript } from '../store/index.ts';
import { readAll, type StopPlace, type StopReading } from './place.ts';
import { readStop } from './stop.ts';

const field = 'version';

/** A resumption replaces a stop; a stop replaces nothing. One key, so that a cluster has it in one place. */
const mergeScript = redisScript(`
for i = 1, #ARGV, 3 do
  if ARGV[i + 2] == '1' then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  else redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return redis.call('HINCRBY', KEYS[1], '${field}', 1)`);

/** The version is believed so many times in a row: a replica that took over could have the same one with less. */
const mostBelieved = 25;

/** What all gateways on one Redis share: a hash of stops by their id, and a version that says when it has changed. */
export function sharedStops(redis: RedisConnection): StopPlace {
  const key = `${redis.prefix}stops`;
  let last: { readonly version: string; readonly reading: StopReading } | null = null;
  let believed = 0;
  return {
    name: 'redis',
    async read() {
      const version = String(await redis.call('HGET', key, field));
      believed += 1;
      if (last?.version === version && believed < mostBelieved) return last.reading;
      believed = 0;
      const values = (await redis.call('HVALS', key)) as string[];
      const texts = values.filter((value) => !/^\d+$/.test(value));
      const reading = readAll(texts, (text) => readStop(readJson(text)));
      last = { version, reading };
      return reading;
    },
    async merge(stops) {
      const parameters = stops.flatMap((stop) => [stop.id, JSON.stringify(stop), stop.resumed ? 1 : 0]);
      await redis.run(mergeScript, [key], parameters);
      last = null;
    },
    // The connection is its owner's.
    close: async () => {},
  };
}
