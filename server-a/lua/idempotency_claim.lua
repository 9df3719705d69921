-- Purpose: claim an idempotency key for one owner, or say who has it or what was answered.
-- KEYS[1] record       string  idem:{api_key}:{idempotency_key}
-- ARGV[1] candidate    string  32 hex digits: the tracking id to use if the key has none yet
-- ARGV[2] owner        string  token of this claim, compared by store and release
-- ARGV[3] fingerprint  string  10 characters of the body's hash
-- ARGV[4] lease        integer milliseconds until another may take the claim over
-- ARGV[5] ttl          integer seconds that the record lives
-- ARGV[6] deadline     integer Redis time in milliseconds after which this call does nothing; 0 = none
-- ARGV[7] strict       integer 1 = a different fingerprint is refused, 0 = it is only reported
-- Returns {'claimed', id, taken_over 0|1, paid 0|1, mismatch 0|1, dead}: ours now, under this id for ever; dead are the
--   tokens of the owners whose leases have ended one after the other, the latest first, separated by spaces
-- Returns {'done', id, status, body, left_ms, mismatch 0|1}: answered; body '' with status 202
-- Returns {'in_flight', id, lease_left_ms, mismatch 0|1}: another owner is at work
-- Returns {'mismatch', id}: the key belongs to another body (only when strict)
-- Returns {'late', now_ms}: the deadline has passed, nothing was changed
-- Atomic: the look and the claim are one step; of any number of twins exactly one is told 'claimed'.
-- Replay: a second run by the same owner is told 'in_flight' (by its own claim); nothing changes.
--
-- The record is one string (offsets are fixed, so no parser is needed):
--   C id(32) fingerprint(10) paid(1) lease_until_ms(13) owner[ dead...]   claimed, in flight
--   F id(32) fingerprint(10) paid(1)[dead...]                             free again after a failure
--   A id(32) fingerprint(10)                                              answered 202 (its body follows from the id)
--   D id(32) fingerprint(10) status(3) body                               answered otherwise
local record = KEYS[1]
local candidate, owner, fingerprint = ARGV[1], ARGV[2], ARGV[3]
local lease, ttl = tonumber(ARGV[4]), tonumber(ARGV[5])
local deadline, strict = tonumber(ARGV[6]), ARGV[7] == '1'

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if deadline > 0 and now > deadline then
  return { 'late', now }
end

-- Characters of dead owners that are kept: some eight tokens.
local DEAD_KEPT = 120
local function claim(id, kept_fingerprint, paid, dead)
  local lease_until = string.format('%013.0f', now + lease)
  local owners = dead == '' and owner or owner .. ' ' .. dead
  redis.call('SET', record, 'C' .. id .. kept_fingerprint .. paid .. lease_until .. owners, 'EX', ttl)
end

local value = redis.call('GET', record)
if not value then
  claim(candidate, fingerprint, '0', '')
  return { 'claimed', candidate, 0, 0, 0, '' }
end

local state = value:sub(1, 1)
local id = value:sub(2, 33)
local kept_fingerprint = value:sub(34, 43)
local paid = value:sub(44, 44)

-- Nothing of an unpaid, free record has reached the broker: its body binds nobody.
if state == 'F' and paid == '0' then
  local dead = value:sub(45)
  claim(id, fingerprint, paid, dead)
  return { 'claimed', id, 1, 0, 0, dead }
end

local mismatch = 0
if kept_fingerprint ~= fingerprint then
  if strict then
    return { 'mismatch', id }
  end
  mismatch = 1
end

if state == 'A' then
  return { 'done', id, 202, '', redis.call('PTTL', record), mismatch }
end
if state == 'D' then
  return { 'done', id, tonumber(value:sub(44, 46)), value:sub(47), redis.call('PTTL', record), mismatch }
end
local dead = value:sub(45)
if state == 'C' then
  local lease_left = tonumber(value:sub(45, 57)) - now
  if lease_left > 0 then
    return { 'in_flight', id, lease_left, mismatch }
  end
  dead = value:sub(58, 57 + DEAD_KEPT)
end
claim(id, kept_fingerprint, paid, dead)
return { 'claimed', id, 1, tonumber(paid), mismatch, dead }
