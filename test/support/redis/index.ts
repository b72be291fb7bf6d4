export { isRedisInstalled, type RedisServer, startRedis } from './redis-server.ts';
