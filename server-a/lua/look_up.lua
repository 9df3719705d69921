-- Purpose: say what is known of an idempotency key, for the client that asks about it.
-- KEYS[1] record string  idem:{api_key}:{idempotency_key}
-- Returns {'absent'}: the key has no record
-- Returns {'answered', id, left_ms, now_ms, status, body}: the key's answer; body '' with status 202
-- Returns {'open', id, left_ms, now_ms, lease_left_ms}: an attempt is at work while lease_left_ms is over 0
-- Returns {'unreadable'}: the record is of a version that this script does not know
-- left_ms is what is left of the record's life; below 0 = it has no end.
-- Atomic: record, life and time are of one moment.
-- Replay: nothing is changed.
-- @include clock
-- @include record
local record = KEYS[1]

local found = read_record(record)
if not found then
  return { 'absent' }
end
if found.state == 'unreadable' then
  return { 'unreadable' }
end
local left, now = redis.call('PTTL', record), now_ms()
if found.state == 'answered' then
  return { 'answered', found.id, left, now, found.status, found.body }
end
return { 'open', found.id, left, now, math.max(0, found.lease_until - now) }
