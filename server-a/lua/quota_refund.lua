-- Purpose: give one unit of a client's daily quota back.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day the unit was taken
-- Returns {'refunded', used}: a unit was given back; used is what is left of the count
-- Returns {'empty', 0}: the counter has expired or is zero; nothing was changed
-- Atomic: the look and the decrement are one step; the counter never falls below zero.
-- Replay: a second run gives a second unit back; a caller that cannot know must not run it again.
local counter = KEYS[1]

local used = tonumber(redis.call('GET', counter) or 0)
if used <= 0 then
  return { 'empty', 0 }
end
return { 'refunded', redis.call('DECR', counter) }
