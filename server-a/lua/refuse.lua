-- Purpose: store a refusal for an idempotency key that has no record, or say what stands under the key.
-- KEYS[1] record   string  idem:{api_key}:{idempotency_key}
-- KEYS[2] count    integer refused:{client_key}; given, with ARGV[5] and on, where the refusal is to be stored
-- ARGV[1] digest   string  10 characters of the body's hash; '' = the body could not be read
-- ARGV[2] strict   integer 1 = another body is refused, 0 = it is only reported
-- ARGV[3] from     integer Redis time in milliseconds before which this call does nothing
-- ARGV[4] deadline integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] id       string  36 characters: the tracking id if the key has no record yet
-- ARGV[6] status   integer HTTP status, three digits
-- ARGV[7] body     string  exact bytes of the refusal
-- ARGV[8] life     integer milliseconds that the refusal is stored
-- ARGV[9] most     integer refusals of the client that are stored while the count lives
-- ARGV[10] count_life integer seconds that the count lives from its first refusal on
-- Returns {'refused', too_many 0|1}: the key had no record; 1 = the refusal was to be stored, and is not
-- Returns {'answered', id, status, body, left_ms, mismatch 0|1}: the key's answer
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: an attempt is at work
-- Returns {'open', id, mismatch 0|1}: the key is open; its message may be in the broker
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'not_now', now_ms}: the time is outside from and deadline; nothing was changed
-- Atomic: the look, the count and the store are one step; a refusal never replaces a record.
-- Replay: a second run is told 'answered' with the refusal itself.
-- @include clock
-- @include record
-- @include store
-- @include rate
-- @include charge
-- @include standing
-- @include refusal
local record, count = KEYS[1], KEYS[2]
local digest, strict = ARGV[1], ARGV[2] == '1'
local from, deadline = tonumber(ARGV[3]), tonumber(ARGV[4])
local id, status, body, life = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local most, count_life = tonumber(ARGV[9]), ARGV[10]

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local reply = refusal(record, read_record(record), digest, strict, now)
if reply then
  return reply
end
if count then
  local stored = { counter = count, limit = most, life_seconds = count_life, taken = 0 }
  if take_unit(stored) then
    return { 'refused', 1 }
  end
  write_charge(stored)
  store(record, id .. digest, status, body, life)
end
return { 'refused', 0 }
