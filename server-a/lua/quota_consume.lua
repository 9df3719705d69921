-- Purpose: take one unit of a client's daily quota, if one is left; or go on with the unit of a dead attempt.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}
-- KEYS[2] recent   list    {counter}:recent, the tokens that took the counter's latest units; of the counter's slot
-- ARGV[1] limit    integer units that the client has a day
-- ARGV[2] ttl      integer seconds that the counter lives from its first unit on
-- ARGV[3] deadline integer Redis time in milliseconds after which this call does nothing; 0 = none
-- ARGV[4] token    string  of this attempt alone; a refund names it
-- ARGV[5] dead     string  tokens of dead attempts at the same message, separated by spaces, whose unit is gone on with
-- ARGV[6] kept     integer tokens that are remembered at the most
-- ARGV[7] kept_ttl integer seconds that tokens are remembered after the latest one
-- Returns {'consumed', used}: a unit is taken, or was taken by a dead attempt; used includes it
-- Returns {'exceeded', used}: none is left; the counter was not moved
-- Returns {'late', now_ms}: the deadline has passed, nothing was changed
-- Atomic: check, increment, expiry and token are one step; concurrent calls never pass the limit.
-- Replay: a second run takes a second unit; a caller that cannot know gives the token's unit back.
local counter, recent = KEYS[1], KEYS[2]
local limit, ttl, deadline = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local token, dead, kept, kept_ttl = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]

if deadline > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now > deadline then
    return { 'late', now }
  end
end

local used = tonumber(redis.call('GET', counter) or 0)
local inherited = false
for predecessor in dead:gmatch('%S+') do
  inherited = inherited or redis.call('LREM', recent, 1, predecessor) > 0
end
if not inherited then
  if used >= limit then
    return { 'exceeded', used }
  end
  used = redis.call('INCR', counter)
  if used == 1 then
    redis.call('EXPIRE', counter, ttl)
  end
end
if redis.call('LPUSH', recent, token) > kept then
  redis.call('RPOP', recent)
end
redis.call('EXPIRE', recent, kept_ttl)
return { 'consumed', used }
