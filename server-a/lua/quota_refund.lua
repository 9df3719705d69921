-- Purpose: give the unit that a token took back to a client's daily quota.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day the unit was taken
-- KEYS[2] recent   list    {counter}:recent, the tokens that took the counter's latest units; of the counter's slot
-- ARGV[1] token    string  that the unit was taken with
-- ARGV[2] certain  integer 1 = the unit was taken for certain, so it is given back even if its token is forgotten
-- Returns {'refunded', used}: the unit was given back; used is what is left of the count
-- Returns {'empty', used}: the token has no unit (never taken, given back before, or gone on to a successor)
-- Atomic: the look and the decrement are one step; the counter never falls below zero.
-- Replay: a second run that is not certain finds the token gone, says 'empty' and changes nothing.
local counter, recent = KEYS[1], KEYS[2]
local token, certain = ARGV[1], ARGV[2] == '1'

local used = tonumber(redis.call('GET', counter) or 0)
local known = redis.call('LREM', recent, 1, token) > 0
if used <= 0 or not (known or certain) then
  return { 'empty', used }
end
return { 'refunded', redis.call('DECR', counter) }
