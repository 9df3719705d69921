-- Purpose: give a unit back to a client's daily quota: its message, which had no idempotency key, was not sent.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day the unit was taken
-- Returns {'refunded', used}: the unit was given back; used counts the day's units without it
-- Returns {'empty', used}: there is no unit to give back; nothing was changed
-- Atomic: the look and the decrement are one step; a counter is never created and never falls below zero.
-- Replay: a second run gives a second unit back; a caller repeats it only if it certainly did not run.
-- @include give_unit_back
local counter = KEYS[1]

local given_back, used = give_unit_back(counter)
if not given_back then
  return { 'empty', used }
end
return { 'refunded', used }
