import { redisScript } from '../../store/index.ts';

/**
 * One decision over all counters of a call, in one round trip: all of them are charged, or none. Time is the server's, in
 * microseconds, which a Lua number holds exactly. ARGV has three numbers for each key: interval, tolerance, and how many
 * calls to take at most.
 *
 * What stands in a key is not trusted: another type, no number, not-a-number or a time further ahead than a full burst (a
 * limit that was changed, a clock that was set back) counts as a burst just spent, and is written down as such, so that the
 * announced wait is true.
 *
 * Answer: {place of the key that refuses longest, microseconds until it admits}, or {0, then for each key: calls taken, and
 * how far its arrival time lies ahead}.
 */
export const admitScript = redisScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function keep(key, tat)
  redis.call('SET', key, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
end

local tats = {}
local slowest, longest = 0, 0
for i, key in ipairs(KEYS) do
  local interval, tolerance = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local full = now + tolerance + interval
  local held = redis.pcall('GET', key)
  local tat = now
  if held then
    tat = type(held) == 'string' and tonumber(held) or full
    if tat ~= tat or tat >= full then
      tat = full
      keep(key, full)
    elseif tat < now then
      tat = now
    end
  end
  tats[i] = tat
  local wait = tat - now - tolerance
  if wait > longest then
    slowest, longest = i, wait
  end
end
if slowest > 0 then
  return {slowest, longest}
end

local answer = {0}
for i, key in ipairs(KEYS) do
  local interval, tolerance = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local free = math.floor((now + tolerance - tats[i]) / interval) + 1
  local taken = math.max(1, math.min(tonumber(ARGV[3 * i]), free))
  local tat = tats[i] + taken * interval
  keep(key, tat)
  answer[#answer + 1] = taken
  answer[#answer + 1] = tat - now
end
return answer
`);

/** Gives calls back that were taken and not made: to a counter of another slot that refused, or at the end of a lease. ARGV: interval, calls. */
export const giveBackScript = redisScript(`
for i, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  local tat = type(held) == 'string' and tonumber(held)
  if tat then
    redis.call('SET', key, string.format('%.0f', tat - tonumber(ARGV[2 * i - 1]) * tonumber(ARGV[2 * i])), 'KEEPTTL')
  end
end
return 1
`);
