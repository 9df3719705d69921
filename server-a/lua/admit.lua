-- Purpose: claim idempotency keys of one client and charge a unit of quota for each, in one step and in their order, or say
--   what stands under them.
-- KEYS[1+] record   string  idem:{api_key}:{idempotency_key}, one for each attempt, no two alike
-- KEYS[2+] counter  integer {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, of the day of from and deadline
-- KEYS[3+] bucket   string  rate:{client_key}; given where the client has a limit per second
-- ARGV[1] terms     string  five integers with a space between: strict (1 = another body is refused, 0 = it is only
--                           reported), lease (milliseconds until another attempt may take the key over), life (milliseconds
--                           that a new record lives), min_life (milliseconds that a record lives at the least after a
--                           take-over), counter_life (seconds that the counter lives from its first unit on)
-- ARGV[2] limit     integer units that the client has a day
-- ARGV[3] from      integer Redis time in milliseconds before which ids and counter are not the right ones
-- ARGV[4] deadline  integer Redis time in milliseconds after which this call does nothing
-- ARGV[5] per_second integer new messages that the client may send in a second; not looked at without a bucket
-- ARGV[6+] attempts string  one for each: the tracking id (36 characters) if the key has no record yet, the body's digest
--                           (10), and the owner: a name that no other attempt on the key has
-- Returns used: every key is claimed under the id that was given, and charged; used counts the day's units, these included
-- Otherwise returns {used, replies}, used being the day's units. Of the replies, one for each attempt:
-- Returns used, in place of {'admitted', id, 0, used}: claimed under the id that was given, and charged
-- Returns {'admitted', id, uncertain 0|1, used}: a second run by the same owner finds it admitted before
-- Returns {'admitted', id, 1, 0}: taken over from an attempt that may have published; not charged again
-- Returns {'exceeded', used}: no unit is left; nothing was changed
-- Returns {'throttled'}: too many new messages of the client in this second; nothing was changed
-- Returns id, in place of {'answered', id, 202, '', left_ms, 0}: the key's answer
-- Returns {'answered', id, status, body, left_ms, mismatch 0|1}: the key's answer
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: another attempt is at work
-- Returns {'open', id, 1}: the key is open for another body; its message may be in the broker
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'not_now', now_ms}: in place of all; the time is outside from and deadline; nothing was changed
-- Atomic: all is one step; of any number of twins exactly one is admitted and charged. All is read before the first write: a
--   call that ends with an error has changed nothing.
-- Replay: a second run by the same owners is told 'admitted' again, and charges nothing.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include rate
-- @include charge
-- @include standing
-- @include admission
local record, attempts = KEYS, ARGV
local count = #attempts - 5
local counter, bucket = KEYS[count + 1], KEYS[count + 2]
local terms, limit, from, deadline = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local per_second = tonumber(ARGV[5])

local now = now_ms()
if now < from or now > deadline then
  return { 'not_now', now }
end
local strict, lease, life, min_life, counter_life = terms:match('^(%S+) (%S+) (%S+) (%S+) (%S+)$')
lease, min_life = tonumber(lease), tonumber(min_life)
local charge = { counter = counter, limit = limit, life_seconds = counter_life, taken = 0 }
charge.bucket, charge.per_second, charge.now = bucket, per_second, now

-- What is written once all is read, by the attempt's number.
local claimed, taken_over, replies = {}, {}, {}
for n = 1, count do
  local attempt, value = attempts[5 + n], redis.call('GET', record[n])
  local digest, owner
  if value then
    digest, owner = attempt:sub(37, 46), attempt:sub(47)
  end
  replies[n] = accepted_id(value, digest)
  if not replies[n] then
    local found = record_in(value)
    replies[n], taken_over[n] = admission(record[n], found, owner, digest, strict == '1', lease, charge, now)
  end
  if not replies[n] then
    replies[n], claimed[n] = charge.used + charge.taken, attempt
  end
end
local used = (charge.used or tonumber(redis.call('GET', counter) or 0)) + charge.taken

write_charge(charge)
local fields = open_fields('0', now + lease, counter:sub(-10), '')
for n = 1, count do
  if claimed[n] then
    claim(record[n], claimed[n]:sub(1, 46), fields .. claimed[n]:sub(47), life)
  elseif taken_over[n] then
    reclaim(record[n], taken_over[n], min_life)
  end
end
if charge.taken == count then
  return used
end
return { used, replies }
