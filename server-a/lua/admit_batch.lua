-- Purpose: do for the items of a batch, all of one client and in their order, what admit and refuse do for one request.
-- KEYS[1+] record    string  idem:{api_key}:{idempotency_key}, one for each item
-- KEYS[2+] refusals  integer refused:{client_key}; touched where a refusal is to be stored
-- KEYS[3+] counter   integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline; given with items to admit
-- KEYS[4+] bucket    string  rate:{client_key}; given, with per_second, where the client has a limit per second
-- ARGV[1] count      integer number of items
-- ARGV[2] strict     integer 1 = another body is refused, 0 = it is only reported
-- ARGV[3] from       integer Redis time in milliseconds before which ids and counter are not the right ones
-- ARGV[4] deadline   integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] owner      string  names the attempts of this batch, unlike any other's
-- ARGV[6] lease      integer milliseconds until another attempt may take a key over
-- ARGV[7] life       integer milliseconds that a new record lives
-- ARGV[8] min_life   integer milliseconds that a record lives at the least after a take-over
-- ARGV[9] limit      integer units that the client has a day
-- ARGV[10] counter_life integer seconds that the counter lives from its first unit on
-- ARGV[11] per_second integer new messages that the client may send in a second
-- ARGV[12] most      integer refusals of the client that are stored while their count lives
-- ARGV[13] refusals_life integer seconds that their count lives from its first refusal on
-- ARGV[14+] words    string  one for each item: to admit it, its tracking id (36) and its body's digest (10); to refuse it,
--                            the id alone. Behind them, three for each item to refuse: digest, status (three digits)
--                            and body, and the milliseconds that the refusal is stored (0 = ask only)
-- Returns used, in place of {'admitted', id, 0, used}: the item is claimed under the id that was given, and charged
-- Returns {'admitted', id, uncertain 0|1, used}: a second run finds the item admitted before
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
local owner, lease, life, min_life = ARGV[5], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local limit, counter_life, per_second = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11])
local most, refusals_life = tonumber(ARGV[12]), ARGV[13]
local record, refusals, counter, bucket = KEYS, KEYS[count + 1], KEYS[count + 2], KEYS[count + 3]
local words = ARGV

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end

local charge = { counter = counter, limit = limit, life_seconds = counter_life, taken = 0 }
charge.bucket, charge.per_second, charge.now = bucket, per_second, now
local stored = { counter = refusals, limit = most, life_seconds = refusals_life, taken = 0 }
-- What is written once all is read, by the item's number.
local claimed, taken_over, refused = {}, {}, {}
local replies, next_refusal = {}, 14 + count
for n = 1, count do
  local word, found = words[13 + n], read_record(record[n])
  if #word > 36 then
    local digest = found and word:sub(37)
    replies[n], taken_over[n] = admission(record[n], found, owner, digest, strict, lease, charge, now)
    if not replies[n] then
      replies[n], claimed[n] = charge.used + charge.taken, word
    end
  else
    local digest, answer, life_ms = unpack(words, next_refusal, next_refusal + 2)
    next_refusal = next_refusal + 3
    local reply = refusal(record[n], found, digest, strict, now)
    local is_new = not reply and tonumber(life_ms) > 0
    if is_new and not take_unit(stored) then
      refused[n] = { mark = word .. digest, answer = answer, life_ms = life_ms }
    end
    replies[n] = reply or { 'refused', is_new and not refused[n] and 1 or 0 }
  end
end
local used = -1
if counter then
  used = (charge.used or tonumber(redis.call('GET', counter) or 0)) + charge.taken
end

write_charge(charge)
write_charge(stored)
local fields = counter and open_fields('0', now + lease, counter:sub(-10), owner)
for n = 1, count do
  if claimed[n] then
    claim(record[n], claimed[n], fields, life)
  elseif taken_over[n] then
    reclaim(record[n], taken_over[n], min_life)
  elseif refused[n] then
    local answer = refused[n].answer
    store(record[n], refused[n].mark, answer:sub(1, 3), answer:sub(4), refused[n].life_ms)
  end
end
return { used, replies }
