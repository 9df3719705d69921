-- The record of an idempotency key is one string. Its first character is the version of this format, the second the
-- state; the fields behind them have fixed places, so no parser is needed:
--   1O id(36) digest(10) uncertain(1) lease_until_ms(13) day(10) owner    open: an attempt owns the key, or owned it last
--   1A id(36) digest(10) status(3) body                                   answered; body '' with status 202
-- id is the tracking id; digest tells one body from another; uncertain is 1 once the key was taken over from an attempt
-- that may have published; day is the UTC day whose counter was charged; owner names the attempt.
--
-- record_in returns a table of these fields with state 'open', 'answered' or 'unreadable' (a version that this script
-- does not know, or a text that was cut short), or nil where the key has no record. read_record reads the key for it.
local RECORD_VERSION = '1'

local function record_in(value)
  if not value then
    return nil
  end
  local head = value:sub(1, 2)
  if head == RECORD_VERSION .. 'O' then
    local uncertain, lease_until, owner = tonumber(value:sub(49, 49)), tonumber(value:sub(50, 62)), value:sub(73)
    if uncertain and lease_until and owner ~= '' then
      return {
        state = 'open',
        id = value:sub(3, 38),
        digest = value:sub(39, 48),
        uncertain = uncertain,
        lease_until = lease_until,
        day = value:sub(63, 72),
        owner = owner,
      }
    end
  end
  if head == RECORD_VERSION .. 'A' then
    local status = tonumber(value:sub(49, 51))
    if status and #value >= 51 then
      return {
        state = 'answered',
        id = value:sub(3, 38),
        digest = value:sub(39, 48),
        status = status,
        body = value:sub(52),
      }
    end
  end
  return { state = 'unreadable' }
end

-- Tells, without taking it apart, whether a value is an open record of this id and digest, as nearly every one that is to
-- be answered is.
local function is_open_with(value, mark)
  return value
    and value:sub(1, 48) == RECORD_VERSION .. 'O' .. mark
    and #value > 72
    and tonumber(value:sub(49, 62)) ~= nil
end

-- Returns the id of an answered record of this digest whose answer is 202, without taking it apart; nil for any other.
local function accepted_id(value, digest)
  if value and #value == 51 and value:sub(1, 2) == RECORD_VERSION .. 'A' and value:sub(39) == digest .. '202' then
    return value:sub(3, 38)
  end
  return nil
end

local function read_record(key)
  return record_in(redis.call('GET', key))
end
