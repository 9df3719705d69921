-- Purpose: store the answer of a claimed idempotency key, for every later request to replay.
-- KEYS[1] record       string  idem:{api_key}:{idempotency_key}
-- ARGV[1] owner        string  token that the claim was made with
-- ARGV[2] id           string  32 hex digits: the key's tracking id
-- ARGV[3] fingerprint  string  10 characters of the body's hash
-- ARGV[4] status       integer HTTP status, three digits
-- ARGV[5] body         string  exact bytes of the answer; '' with status 202
-- ARGV[6] ttl          integer milliseconds that the answer is kept
-- Returns 'stored': the answer is kept
-- Returns 'lost': another owner has the key, or it is answered already; nothing was changed
-- Atomic: the owner is compared and the answer written in one step.
-- Replay: a second run finds the key answered, says 'lost' and changes nothing.
local record = KEYS[1]
local owner, id, fingerprint = ARGV[1], ARGV[2], ARGV[3]
local status, body, ttl = ARGV[4], ARGV[5], ARGV[6]

-- A record that vanished (a flushed Redis) is written anew: the answer is known, so keep it.
local value = redis.call('GET', record)
if value and (value:sub(1, 1) ~= 'C' or (value:sub(58) .. ' '):sub(1, #owner + 1) ~= owner .. ' ') then
  return 'lost'
end
if status == '202' then
  redis.call('SET', record, 'A' .. id .. fingerprint, 'PX', ttl)
else
  redis.call('SET', record, 'D' .. id .. fingerprint .. status .. body, 'PX', ttl)
end
return 'stored'
