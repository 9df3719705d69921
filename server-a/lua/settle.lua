-- Purpose: end attempts of one client in the same way: write down what became of each publish, and say what stands under
--   each key now.
-- KEYS[1+] record   string  idem:{api_key}:{idempotency_key}, one for each attempt
-- KEYS[2+] counter  integer the counter that the attempts were charged on; given with not_sent alone
-- ARGV[1] ending    string  answered | not_sent | held | unknown
-- ARGV[2] duration  integer milliseconds: the answer's life (answered), the longer lease (held), otherwise 0
-- ARGV[3] deadline  integer Redis time in milliseconds until which the attempts' admit may still run; 0 = it has run
-- ARGV[4+] attempts string  one for each: the tracking id (36 characters) that it published under, its body's digest (10), and
--                           its owner (may be left out with answered)
-- Returns 1: the answers of all the attempts stand, written by this call. Otherwise returns a list, one reply for each:
-- Returns 1, in place of {'answered', id, 202, '', duration, 0}: the attempt's own answer stands, written by this call
-- Returns {'answered', id, status, body, left_ms, 0}: the key's answer, another's or one that stood before
-- Returns {'open', id, 0}: the key is open; its message may be in the broker
-- Returns {'withdrawn'}: the record is gone and its unit is given back; the message is in no queue
-- Returns {'absent'}: the key has no record
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'early'}: the attempt's admit may still run behind this call, which has found nothing of the attempt
-- Atomic: of each attempt, the owner is compared and the record rewritten in one step, together with the counter.
-- Replay: a second run finds the record gone, answered or no longer owned, and changes nothing; held extends the lease. So a
--   call that ended with an error midway is followed by each attempt alone.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include store
-- @include give_unit_back
-- @include settlement
local record, attempts = KEYS, ARGV
local count = #attempts - 3
local counter = KEYS[count + 1]
local ending, duration, deadline = ARGV[1], ARGV[2], tonumber(ARGV[3])

local replies, written = {}, 0
for n = 1, count do
  local attempt = attempts[3 + n]
  local mark, owner = attempt:sub(1, 46), attempt:sub(47)
  local reply = settlement(record[n], counter, ending, owner, mark, duration, deadline)
  replies[n] = reply or 1
  written = written + (reply and 0 or 1)
end
return written == count and 1 or replies
