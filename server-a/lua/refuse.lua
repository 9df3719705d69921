-- Purpose: store refusals for idempotency keys of one client that have no record, or say what stands under the keys.
-- KEYS[1+] record   string  idem:{api_key}:{idempotency_key}, one for each refusal, no two alike
-- KEYS[2+] stored   integer refused:{client_key}; given where a refusal is to be stored
-- ARGV[1] strict    integer 1 = another body is refused, 0 = it is only reported
-- ARGV[2] from      integer Redis time in milliseconds before which ids are not the right ones
-- ARGV[3] deadline  integer Redis time in milliseconds after which this call does nothing
-- ARGV[4] most      integer refusals of the client that are stored while their count lives
-- ARGV[5] stored_life integer seconds that their count lives from its first refusal on
-- ARGV[6+] refusals string  three for each: the tracking id (36 characters) if the key has no record yet and the body's digest
--                           (10; none = the body could not be read); the HTTP status (three digits) and the exact bytes of
--                           the refusal's body; the milliseconds that it is stored (0 = only ask)
-- Returns a list, one reply for each refusal:
-- Returns {'refused', too_many 0|1}: the key had no record; 1 = the refusal was to be stored, and is not
-- Returns {'answered', id, status, body, left_ms, mismatch 0|1}: the key's answer
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: an attempt is at work
-- Returns {'open', id, mismatch 0|1}: the key is open; its message may be in the broker
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'not_now', now_ms}: in place of the list; the time is outside from and deadline; nothing was changed
-- Atomic: look, count and store are one step; a refusal never replaces a record. All is read before the first write.
-- Replay: a second run is told 'answered' with the refusal itself.
-- @include clock
-- @include record
-- @include store
-- @include rate
-- @include charge
-- @include standing
-- @include refusal
local record, refusals = KEYS, ARGV
local count = (#refusals - 5) / 3
local stored = KEYS[count + 1]
local strict, from, deadline = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local most, stored_life = tonumber(ARGV[4]), ARGV[5]

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local charge = { counter = stored, limit = most, life_seconds = stored_life, taken = 0 }
local replies, kept = {}, {}
for n = 1, count do
  local mark, _, life_ms = unpack(refusals, 3 + 3 * n, 5 + 3 * n)
  local reply = refusal(record[n], read_record(record[n]), mark:sub(37), strict, now)
  local is_new = not reply and tonumber(life_ms) > 0
  kept[n] = is_new and not take_unit(charge)
  replies[n] = reply or { 'refused', is_new and not kept[n] and 1 or 0 }
end

write_charge(charge)
for n = 1, count do
  if kept[n] then
    local mark, answer, life_ms = unpack(refusals, 3 + 3 * n, 5 + 3 * n)
    store(record[n], mark, answer:sub(1, 3), answer:sub(4), life_ms)
  end
end
return replies
