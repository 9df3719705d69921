-- Purpose: give a claimed idempotency key back unanswered, keeping its tracking id; or hold it on.
-- KEYS[1] record  string  idem:{api_key}:{idempotency_key}
-- ARGV[1] owner   string  token that the claim was made with
-- ARGV[2] paid    integer 1 = a unit of quota is kept for this key, so the next owner is not charged
-- ARGV[3] hold    integer milliseconds to keep the claim while its outcome is awaited; 0 = free at once
-- ARGV[4] ttl     integer seconds that the record lives
-- Returns 'released': the key can be claimed again, under the same tracking id
-- Returns 'held': the claim goes on, with a lease of the length given
-- Returns 'lost': another owner has the key, or it is answered already; nothing was changed
-- Atomic: the owner is compared and the record rewritten in one step.
-- Replay: a second release says 'lost' and changes nothing; a second hold extends the lease.
local record = KEYS[1]
local owner, paid = ARGV[1], ARGV[2]
local hold, ttl = tonumber(ARGV[3]), ARGV[4]

local value = redis.call('GET', record)
if not value or value:sub(1, 1) ~= 'C' or (value:sub(58) .. ' '):sub(1, #owner + 1) ~= owner .. ' ' then
  return 'lost'
end
local id_and_fingerprint = value:sub(2, 43)
if hold > 0 then
  local time = redis.call('TIME')
  local lease_until = string.format('%013.0f', time[1] * 1000 + math.floor(time[2] / 1000) + hold)
  redis.call('SET', record, 'C' .. id_and_fingerprint .. paid .. lease_until .. value:sub(58), 'EX', ttl)
  return 'held'
end
-- The dead owners before this one stay: the next owner goes on with the unit that one of them may have.
local dead = value:sub(59 + #owner)
redis.call('SET', record, 'F' .. id_and_fingerprint .. paid .. dead, 'EX', ttl)
return 'released'
