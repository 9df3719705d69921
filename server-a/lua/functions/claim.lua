-- claim writes an open record: an attempt owns the key until the lease ends. The record lives life_ms from now on.
local function claim(key, record, life_ms)
  local lease_until = string.format('%013.0f', record.lease_until)
  local value = RECORD_VERSION .. 'O' .. record.id .. record.digest .. record.uncertain .. lease_until .. record.day
  redis.call('SET', key, value .. record.owner, 'PX', life_ms)
end
