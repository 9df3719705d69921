-- Purpose: take units of a client's daily quota, as many as are left, for requests without an idempotency key.
-- KEYS[1] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline
-- KEYS[2] bucket   string  rate:{client_key}; given where the client has a limit per second
-- ARGV[1] limit    integer units that the client has a day
-- ARGV[2] life     integer seconds that the counter lives from its first unit on
-- ARGV[3] from     integer Redis time in milliseconds before which the counter is not the right one
-- ARGV[4] deadline integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] units    integer units to take
-- ARGV[6] per_second integer new messages that the client may send in a second; not looked at without a bucket
-- Returns used, in place of {'consumed', used}: all units are taken; used counts the day's units, these included
-- Returns {'exceeded', taken, used}: no more than these are left; they are taken, and counted in used
-- Returns {'throttled', taken, used}: too many new messages of the client in this second; taken are those that are not
-- Returns {'not_now', now_ms}: the time is outside from and deadline; nothing was changed
-- Atomic: check, increment and expiry are one step; concurrent calls never pass the limit.
-- Replay: a second run takes units, and tokens, a second time.
-- @include clock
-- @include rate
-- @include charge
local counter, bucket = KEYS[1], KEYS[2]
local limit, life = tonumber(ARGV[1]), ARGV[2]
local from, deadline = tonumber(ARGV[3]), tonumber(ARGV[4])
local units, per_second = tonumber(ARGV[5]), tonumber(ARGV[6])

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local charge = { counter = counter, limit = limit, life_seconds = life, taken = 0 }
charge.bucket, charge.per_second, charge.now = bucket, per_second, now
local nothing_left
for _ = 1, units do
  nothing_left = nothing_left or take_unit(charge)
end
write_charge(charge)
local used = (charge.used or 0) + charge.taken
if nothing_left == 'throttled' then
  return { 'throttled', charge.taken, used }
end
if nothing_left then
  return { 'exceeded', charge.taken, used }
end
return used
