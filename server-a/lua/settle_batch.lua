-- Purpose: end attempts on the keys of one client in the same way: what settle does for one attempt.
-- KEYS[1+] record   string  idem:{api_key}:{idempotency_key}, one for each attempt
-- KEYS[2+] counter  integer the counter that the attempts were charged on; given with not_sent alone
-- ARGV[1] count     integer number of attempts
-- ARGV[2] ending    string  answered | not_sent | held | unknown
-- ARGV[3] duration  integer milliseconds: the answers' life (answered), the longer lease (held), otherwise 0
-- ARGV[4+] attempts string  three for each attempt: its owner, the tracking id that it published under, its body's digest
-- Returns {'answered', id, status, body, left_ms, 0}: the key's answer, this attempt's own or another's
-- Returns {'open', id, 0}: the key is open; its message may be in the broker
-- Returns {'withdrawn'}: the record is gone and its unit is given back; the message is in no queue
-- Returns {'absent'}: the key has no record
-- Returns {'unreadable'}: the record is of a version that this script does not know; nothing was changed
-- Returns {'early'}: never; it is a reply to attempts whose admit may still run, and these are settled alone
-- The replies come as a list, one for each attempt.
-- Atomic: of each attempt, the owner is compared and the record rewritten in one step, together with the counter.
-- Replay: as of settle, for each attempt. So a call that ended with an error midway is followed by each attempt alone.
-- @include clock
-- @include record
-- @include claim
-- @include reclaim
-- @include store
-- @include give_unit_back
-- @include settlement
local count, ending, duration = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local record, counter = KEYS, KEYS[count + 1]
local attempts = ARGV

local replies = {}
for n = 1, count do
  local owner, id, digest = unpack(attempts, 1 + 3 * n, 3 + 3 * n)
  replies[n] = settlement(record[n], counter, ending, owner, id, digest, duration, 0)
end
return replies
