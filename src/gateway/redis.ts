import type { Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { connectRedis, isReadyWithin, type RedisConnection } from '../store/index.ts';

/** A start waits so long for Redis: what is stopped, revoked or used up there should hold from the first call on. */
const firstMs = 2_000;

/** The one connection that everything shared uses; null where the configuration has no `redis:`. */
export async function openRedis({ redis }: Pick<Config, 'redis'>, log: Log): Promise<RedisConnection | null> {
  if (redis === null) return null;
  const { url, prefix, cluster: isCluster, commandTimeoutMs } = redis;
  const connection = await connectRedis({ url, prefix, isCluster, commandTimeoutMs, log });
  await isReadyWithin(connection, firstMs);
  return connection;
}
