-- Purpose: claim an idempotency key and charge its unit of quota in one step, or say what stands under the key.
-- KEYS[1] record    string  idem:{api_key}:{idempotency_key}
-- KEYS[2] counter   integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline
-- KEYS[3] bucket    string  rate:{client_key}; given, with per_second, where the client has a limit per second
-- ARGV[1] mark      string  the tracking id (36 characters) if the key has no record yet, and the body's digest (10)
-- ARGV[2] owner     string  names this attempt, unlike any other
-- ARGV[3] terms     string  five integers with a space between: strict (1 = another body is refused, 0 = it is only
--                           reported), lease (milliseconds until another attempt may take the key over), life (milliseconds
--                           that a new record lives), min_life (milliseconds that a record lives at the least after a
--                           take-over), counter_life (seconds that the counter lives from its first unit on)
-- ARGV[4] limit     integer units that the client has a day
-- ARGV[5] from      integer Redis time in milliseconds before which id and counter are not the right ones
-- ARGV[6] deadline  integer Redis time in milliseconds after which this call does nothing
-- ARGV[7] per_second integer new messages that the client may send in a second
-- Returns used, in place of {'admitted', id, 0, used}: claimed under the id that was given, and charged; used counts the
-- day's units, this one included
-- Returns {'admitted', id, uncertain 0|1, used}: a second run by the same owner finds it admitted before
-- Returns {'admitted', id, 1, 0}: taken over from an attempt that may have published; not charged again
-- Returns {'exceeded', used}: no unit is left; nothing was changed
-- Returns {'throttled'}: too many new messages of the client in this second; nothing was changed
-- Returns {'answered', id, status, body, left_ms, mismatch 0|1}: the key's answer
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: another attempt is at work
-- Returns {'open', id, 1}: the key is open for another body; its message may be in the broker
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'not_now', now_ms}: the time is outside from and deadline; nothing was changed
-- Atomic: look, claim and charge are one step; of any number of twins exactly one is admitted and charged.
-- Replay: a second run by the same owner is told 'admitted' again, and charges nothing.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include rate
-- @include charge
-- @include standing
-- @include admission
local record, counter, bucket = KEYS[1], KEYS[2], KEYS[3]
local mark, owner, terms = ARGV[1], ARGV[2], ARGV[3]
local limit, from, deadline = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local per_second = tonumber(ARGV[7])

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local strict, lease, life, min_life, counter_life = terms:match('^(%S+) (%S+) (%S+) (%S+) (%S+)$')
lease, min_life = tonumber(lease), tonumber(min_life)
local charge = {
  counter = counter,
  limit = limit,
  life_seconds = counter_life,
  bucket = bucket,
  per_second = per_second,
  now = now,
  taken = 0,
}
local found = read_record(record)
local digest = found and mark:sub(37)
local reply, taken_over = admission(record, found, owner, digest, strict == '1', lease, charge, now)
if not reply then
  write_charge(charge)
  claim(record, mark, open_fields('0', now + lease, counter:sub(-10), owner), life)
  return charge.used + 1
end
if taken_over then
  reclaim(record, taken_over, min_life)
end
return reply
