-- Purpose: end an attempt: write down what became of its publish, and say what stands under the key now.
-- KEYS[1] record   string  idem:{api_key}:{idempotency_key}
-- KEYS[2] counter  integer the counter that the attempt was charged on; given with not_sent alone
-- ARGV[1] ending   string  answered | not_sent | held | unknown
-- ARGV[2] owner    string  names the attempt
-- ARGV[3] mark     string  the tracking id (36 characters) that the attempt published under, and its body's digest (10)
-- ARGV[4] duration integer milliseconds: the answer's life (answered), the longer lease (held), otherwise 0
-- ARGV[5] deadline integer Redis time in milliseconds until which the attempt's admit may still run; left out = it has run
-- Returns 1, in place of {'answered', id, 202, '', duration, 0}: the attempt's own answer stands, written by this call
-- Returns {'answered', id, status, body, left_ms, 0}: the key's answer, another's or one that stood before
-- Returns {'open', id, 0}: the key is open; its message may be in the broker
-- Returns {'withdrawn'}: the record is gone and its unit is given back; the message is in no queue
-- Returns {'absent'}: the key has no record
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'early'}: the attempt's admit may still run behind this call, which has found nothing of the attempt
-- Atomic: the owner is compared and the record rewritten in one step, together with the counter.
-- Replay: a second run finds the record gone, answered or no longer owned, and changes nothing; held extends the lease.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include store
-- @include give_unit_back
-- @include settlement
local record, counter = KEYS[1], KEYS[2]
local ending, owner, mark = ARGV[1], ARGV[2], ARGV[3]
local duration, deadline = ARGV[4], tonumber(ARGV[5] or 0)

return settlement(record, counter, ending, owner, mark, duration, deadline) or 1
