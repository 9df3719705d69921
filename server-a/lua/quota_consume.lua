-- Purpose: take one unit of a client's daily quota, if one is left, for a request without an idempotency key.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline
-- KEYS[2] bucket   string  rate:{client_key}; given, with per_second, where the client has a limit per second
-- ARGV[1] limit    integer units that the client has a day
-- ARGV[2] life     integer seconds that the counter lives from its first unit on
-- ARGV[3] from     integer Redis time in milliseconds before which the counter is not the right one
-- ARGV[4] deadline integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] per_second integer new messages that the client may send in a second
-- Returns used, in place of {'consumed', used}: a unit is taken; used counts the day's units, this one included
-- Returns {'exceeded', used}: none is left; nothing was changed
-- Returns {'throttled'}: too many new messages of the client in this second; nothing was changed
-- Returns {'not_now', now_ms}: the time is outside from and deadline; nothing was changed
-- Atomic: check, increment and expiry are one step; concurrent calls never pass the limit.
-- Replay: a second run takes a second unit, and a second token.
-- @include clock
-- @include rate
-- @include charge
local counter, bucket = KEYS[1], KEYS[2]
local limit, life = tonumber(ARGV[1]), ARGV[2]
local from, deadline = tonumber(ARGV[3]), tonumber(ARGV[4])
local per_second = tonumber(ARGV[5])

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local charge = { counter = counter, limit = limit, life_seconds = life, taken = 0 }
charge.bucket, charge.per_second, charge.now = bucket, per_second, now
local nothing_left = take_unit(charge)
if nothing_left == 'throttled' then
  return { 'throttled' }
end
if nothing_left then
  return { 'exceeded', charge.used }
end
write_charge(charge)
return charge.used + 1
