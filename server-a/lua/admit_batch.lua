-- Purpose: do for the items of a batch, all of one client and in their order, what admit and refuse do for one request.
-- KEYS[1+] record    string  idem:{api_key}:{idempotency_key}, one for each item
-- KEYS[2+] refusals  integer refused:{client_key}; touched where a refusal is to be stored
-- KEYS[3+] counter   integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline; given with items to admit
-- KEYS[4+] bucket    string  rate:{client_key}; given, with per_second, where the client has a limit per second
-- ARGV[1] count      integer number of items
-- ARGV[2] strict     integer 1 = another body is refused, 0 = it is only reported
-- ARGV[3] from       integer Redis time in milliseconds before which ids and counter are not the right ones
-- ARGV[4] deadline   integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] lease      integer milliseconds until another attempt may take a key over
-- ARGV[6] life       integer milliseconds that a new record lives
-- ARGV[7] min_life   integer milliseconds that a record lives at the least after a take-over
-- ARGV[8] limit      integer units that the client has a day
-- ARGV[9] counter_life integer seconds that the counter lives from its first unit on
-- ARGV[10] per_second integer new messages that the client may send in a second
-- ARGV[11] most      integer refusals of the client that are stored while their count lives
-- ARGV[12] refusals_life integer seconds that their count lives from its first refusal on
-- ARGV[13+] items    string  five for each item: owner ('' = the item is to be refused), id, digest; then, of a refusal,
--                            its status (three digits) and body, and the milliseconds that it is stored (0 = ask only)
-- Returns {'admitted', id, 0, used}: claimed and charged; used counts the day's units, this one included
-- Returns {'admitted', id, 1, 0}: taken over from an attempt that may have published; not charged again
-- Returns {'exceeded', used}: no unit is left; nothing was changed
-- Returns {'throttled'}: too many new messages of the client in this second; nothing was changed
-- Returns {'refused', too_many 0|1}: the key had no record; 1 = the refusal was to be stored, and is not
-- Returns {'answered', id, status, body, left_ms, mismatch 0|1}: the key's answer
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: another attempt is at work
-- Returns {'open', id, mismatch 0|1}: the key is open; its message may be in the broker
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'not_now', now_ms}: in place of the list; the time is outside from and deadline; nothing was changed
-- The replies come as a list, one for each item, behind the day's units used (-1 = no counter was given).
-- Atomic: all items are one step. All is read before the first write: a call that ends with an error has changed nothing.
-- Replay: a second run by the same owners is told the same of what was admitted, and charges nothing.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include store
-- @include rate
-- @include charge
-- @include standing
-- @include admission
-- @include refusal
local count, strict = tonumber(ARGV[1]), ARGV[2] == '1'
local from, deadline = tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, life, min_life = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local limit, counter_life, per_second = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local most, refusals_life = tonumber(ARGV[11]), ARGV[12]
local record, refusals, counter, bucket = KEYS, KEYS[count + 1], KEYS[count + 2], KEYS[count + 3]
local items = ARGV

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end

local charge = { counter = counter, limit = limit, life_seconds = counter_life, taken = 0 }
charge.bucket, charge.per_second, charge.now = bucket, per_second, now
local stored = { counter = refusals, limit = most, life_seconds = refusals_life, taken = 0 }
local replies, admitted, refused = {}, {}, {}
for n = 1, count do
  local owner, id, digest, _, life_ms = unpack(items, 8 + 5 * n, 12 + 5 * n)
  local found = read_record(record[n])
  if owner ~= '' then
    replies[n], admitted[n] = admission(record[n], found, owner, id, digest, strict, lease, charge, now)
  else
    local reply = refusal(record[n], found, digest, strict, now)
    local is_new = not reply and tonumber(life_ms) > 0
    refused[n] = is_new and not take_unit(stored)
    replies[n] = reply or { 'refused', is_new and not refused[n] and 1 or 0 }
  end
end
local used = -1
if counter then
  used = (charge.used or tonumber(redis.call('GET', counter) or 0)) + charge.taken
end

write_charge(charge)
write_charge(stored)
for n = 1, count do
  if admitted[n] and admitted[n].uncertain == 0 then
    claim(record[n], admitted[n], life)
  elseif admitted[n] then
    reclaim(record[n], admitted[n], min_life)
  elseif refused[n] then
    local id, digest, answer, life_ms = unpack(items, 9 + 5 * n, 12 + 5 * n)
    store(record[n], id, digest, answer:sub(1, 3), answer:sub(4), life_ms)
  end
end
return { used, replies }
