-- Purpose: take one unit of a client's daily quota, if one is left.
-- KEYS[1] counter   integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}
-- ARGV[1] limit     integer units that the client has a day
-- ARGV[2] ttl       integer seconds that the counter lives from its first unit on
-- ARGV[3] deadline  integer Redis time in milliseconds after which this call does nothing; 0 = none
-- Returns {'consumed', used}: a unit was taken; used includes it
-- Returns {'exceeded', used}: none is left; the counter was not moved
-- Returns {'late', now_ms}: the deadline has passed, nothing was changed
-- Atomic: check, increment and expiry are one step; concurrent calls never pass the limit.
-- Replay: a second run takes a second unit; a caller that cannot know must not run it again.
local counter = KEYS[1]
local limit, ttl, deadline = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])

if deadline > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now > deadline then
    return { 'late', now }
  end
end

local used = tonumber(redis.call('GET', counter) or 0)
if used >= limit then
  return { 'exceeded', used }
end
used = redis.call('INCR', counter)
if used == 1 then
  redis.call('EXPIRE', counter, ttl)
end
return { 'consumed', used }
