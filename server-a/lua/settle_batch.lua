-- Purpose: end attempts on the keys of one client in the same way: what settle does for one attempt.
-- KEYS[1+] record   string  idem:{api_key}:{idempotency_key}, one for each attempt
-- KEYS[2+] counter  integer the counter that the attempts were charged on; given with not_sent alone
-- ARGV[1] count     integer number of attempts
-- ARGV[2] ending    string  answered | not_sent | held | unknown
-- ARGV[3] duration  integer milliseconds: the answers' life (answered), the longer lease (held), otherwise 0
-- ARGV[4] owner     string  names the attempts
-- ARGV[5+] marks    string  one for each attempt: the tracking id (36) that it published under, and its body's digest (10)
-- Returns 1, in place of {'answered', id, 202, '', duration, 0}: the attempt's own answer stands
-- Returns {'answered', id, status, body, left_ms, 0}: the key's answer, which is another's
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
local count, ending, duration, owner = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local record, counter = KEYS, KEYS[count + 1]
local marks = ARGV

local replies = {}
for n = 1, count do
  replies[n] = settlement(record[n], counter, ending, owner, marks[4 + n], duration, 0) or 1
end
return replies
