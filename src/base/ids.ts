import { randomBytes } from 'node:crypto';

const pool = Buffer.allocUnsafe(16 * 128);
let used = pool.length;

/**
 * A UUID version 7 (RFC 9562 section 5.7): sorts by time, unguessable in its lower 74 bits.
 * @param now milliseconds since the Unix epoch
 */
export function uuidv7(now: number): string {
  if (used === pool.length) {
    randomBytes(pool.length).copy(pool);
    used = 0;
  }
  const bytes = pool.subarray(used, used + 16);
  used += 16;
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
